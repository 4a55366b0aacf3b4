"""Models, one in each file: `python -m model build NAME` finds them by the file's name."""
