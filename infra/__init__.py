"""The Pulumi program: the only place that creates resources, one component a file."""
