"""A pull request's comment: what a preview would change, said to the person who reviews it.

Reads `pulumi preview --json` and two locks, imports nothing of `infra`, writes Markdown.
"""
