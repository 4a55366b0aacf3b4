"""The node agent: what a kubelet does, with host processes in unprivileged namespaces."""
