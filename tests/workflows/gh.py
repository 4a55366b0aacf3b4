#!/usr/bin/env python3
"""In the place of GitHub's CLI: comments and issues are lists in the file that GH_STATE names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

FILE = Path(os.environ["GH_STATE"])
STATE: dict[str, Any] = json.loads(FILE.read_text())
OURS = "github-actions[bot]"


def api(args: list[str]) -> None:
    """Comments of a pull request: list, add, edit."""
    comments = STATE["comments"]
    if "--jq" in args:
        query = args[args.index("--jq") + 1]
        subprocess.run(["jq", "-r", query], input=json.dumps(comments), text=True, check=True)
        return
    body = json.load(sys.stdin)["body"]
    path = next(arg for arg in args if arg.startswith("repos/"))
    if args[args.index("--method") + 1] == "POST":
        comments.append({"id": 100 + len(comments), "user": {"login": OURS}, "body": body})
    else:
        (edited,) = [each for each in comments if each["id"] == int(path.rpartition("/")[2])]
        edited["body"] = body


def issue(args: list[str]) -> None:
    """Issues: list those that are open, open, edit, close."""
    issues = STATE["issues"]
    options = dict(pairwise(args))
    if args[0] == "list":
        print(json.dumps([each for each in issues if each["open"]]))
        return
    if args[0] == "create":
        number = len(issues) + 1
        made = {"number": number, "title": options["--title"], "open": True}
        issues.append(made | {"body": options["--body"]})
        return
    (found,) = [each for each in issues if each["number"] == int(args[1])]
    if args[0] == "close":
        found["open"] = False
    else:
        found["body"] = options["--body"]


if __name__ == "__main__":
    {"api": api, "issue": issue}[sys.argv[1]](sys.argv[2:])
    FILE.write_text(json.dumps(STATE))
