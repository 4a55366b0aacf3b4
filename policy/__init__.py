"""What a stack may ask for, checked by the Pulumi CLI before anything is touched."""
