"""A Pulumi program of its own: what is there before an environment's first stack."""
