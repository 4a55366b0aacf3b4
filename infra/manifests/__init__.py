"""Kubernetes manifests as plain dicts: pure functions of settings and releases."""
