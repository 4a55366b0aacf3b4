"""What runs inside the node's own namespaces: pods' networks, containers' mounts and processes.

Standard library only, and little of it: the process that holds the namespaces forks for every
container.
"""
