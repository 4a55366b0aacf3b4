"""What runs inside the node's own namespaces: the pods' networks, the containers' file systems and
processes.
"""
