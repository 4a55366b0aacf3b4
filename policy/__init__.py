"""The policy pack: rules for resources, checked by the Pulumi CLI before it changes anything."""
