"""Writes a pull request's comment: what the preview of a stack would change.

Input: `pulumi preview --json` and models.lock.json of the branch and of its base. Output: Markdown.
"""
