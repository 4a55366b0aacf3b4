"""The node agent: a kubelet whose containers are processes in unprivileged namespaces."""
