"""Servers that people would pick instead, each as its own documentation writes it.

They run in an environment of their own (.venv-bench). The release's folder is in the environment
variable RELEASE_FOLDER.
"""
