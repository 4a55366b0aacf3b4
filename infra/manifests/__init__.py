"""What the cluster is asked for, as plain dicts: pure functions of settings and releases."""
