"""Kubernetes objects by server-side apply, with the official plugin's semantics.

What differs from it: the configuration is a kubeconfig, a context and a namespace; a change of
these never replaces anything; fields that the server doesn't know are errors and no warnings;
outputs leave out `managedFields` and `resourceVersion`, which change with every write of
anybody's.
"""
