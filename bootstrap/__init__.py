"""A Pulumi program of its own, for what must exist before an environment's first stack."""
