"""What the workflows' scripts leave on GitHub, with a stand-in for its CLI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.files import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("jq"), reason="GitHub's runners have jq")
MARKER = "<!-- kserve-triton:review:dev -->"


class GitHub:
    """A pull request's comments and a repository's issues."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: dict[str, Any] = {"comments": [], "issues": []}
        (folder / "gh").symlink_to(Path(__file__).with_name("gh.py"))

    def run(self, script: str, *args: str) -> None:
        """A script of .github/, its second argument being the text of a file."""
        state = self.folder / "state.json"
        state.write_text(json.dumps(self.state))
        command = [str(ROOT / ".github" / script), args[0]]
        for text in args[1:]:
            (self.folder / "text").write_text(text)
            command.append(str(self.folder / "text"))
        environment = os.environ | {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "GH_STATE": str(state),
            "GITHUB_REPOSITORY": "owner/name",
            "PULL_REQUEST": "7",
            "RUN": "https://example.com/run",
        }
        subprocess.run(command, env=environment, check=True, timeout=20)
        self.state = json.loads(state.read_text())

    @property
    def comments(self) -> list[str]:
        return [comment["body"] for comment in self.state["comments"]]

    @property
    def open_issues(self) -> dict[str, str]:
        return {each["title"]: each["body"] for each in self.state["issues"] if each["open"]}


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    return GitHub(tmp_path)


def test_a_stack_has_one_comment_which_is_edited(github: GitHub) -> None:
    github.run("comment.sh", "dev", "first\n")
    github.run("comment.sh", "dev", "second\n")
    assert github.comments == [f"{MARKER}\nsecond\n"]


def test_each_stack_has_its_own_comment(github: GitHub) -> None:
    github.run("comment.sh", "dev", "of dev\n")
    github.run("comment.sh", "prod", "of prod\n")
    assert [body.splitlines()[1] for body in github.comments] == ["of dev", "of prod"]


def test_a_marker_that_is_there_already_is_not_doubled(github: GitHub) -> None:
    github.run("comment.sh", "dev", f"{MARKER}\ntext\n")
    assert github.comments == [f"{MARKER}\ntext\n"]


def test_somebody_elses_comment_that_begins_like_ours_is_left_alone(github: GitHub) -> None:
    theirs = {"id": 1, "user": {"login": "someone"}, "body": f"{MARKER}\ntheirs"}
    github.state["comments"].append(theirs)
    github.run("comment.sh", "dev", "ours\n")
    assert github.comments == [f"{MARKER}\ntheirs", f"{MARKER}\nours\n"]


def test_a_comment_fits_into_what_github_takes(github: GitHub) -> None:
    github.run("comment.sh", "dev", "x" * 100_000)
    (comment,) = github.comments
    assert 60_000 < len(comment) <= 65_536


def test_drift_opens_one_issue_a_stack_and_brings_it_up_to_date(github: GitHub) -> None:
    github.run("drift.sh", "dev", "one bucket differs")
    github.run("drift.sh", "prod", "one job is gone")
    github.run("drift.sh", "dev", "two buckets differ")
    assert set(github.open_issues) == {"Drift: dev", "Drift: prod"}
    assert "two buckets differ" in github.open_issues["Drift: dev"]


def test_no_more_drift_closes_the_issue(github: GitHub) -> None:
    github.run("drift.sh", "dev", "one bucket differs")
    github.run("drift.sh", "dev")
    assert github.open_issues == {}


def test_no_drift_opens_nothing(github: GitHub) -> None:
    github.run("drift.sh", "dev")
    assert github.state["issues"] == []
