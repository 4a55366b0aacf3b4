"""vegeta, the load generator: its targets, one attack, and what it recorded."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.load.recording import Progression, Recording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.config import Load
    from jobs.load.metrics import Hits
    from jobs.progress import Progress

__all__ = ["LoadError", "Target", "attack"]

# Connections are made before, answers are awaited after.
MARGIN_SECONDS = 60.0
TOLD_SECONDS = 3.0
# Little at a time: a burst of reading would take the CPU from vegeta, and its time from requests.
STEP_SECONDS = 0.1


class LoadError(Exception):
    """The load test could not be run; says why."""


@dataclass(frozen=True)
class Target:
    """A request that the load consists of; they take turns."""

    url: str
    headers: dict[str, str]
    body: bytes

    def line(self) -> str:
        """As vegeta reads it."""
        return json.dumps(
            {
                "method": "POST",
                "url": self.url,
                "header": {name: [value] for name, value in self.headers.items()},
                "body": base64.b64encode(self.body).decode(),
            }
        )


def attack(targets: Sequence[Target], job: Load, folder: Path, progress: Progress) -> Hits:
    """One attempt at the asked rate. Raises LoadError when vegeta can't be run or fails."""
    given, made = folder / "targets.json", folder / "results.bin"
    given.write_text("".join(target.line() + "\n" for target in targets))
    arguments = [
        *("attack", "-format=json", f"-targets={given}", f"-output={made}"),
        *(f"-rate={job.rate}/1s", f"-duration={_duration(job.duration_seconds)}"),
        # A redirect is not an answer.
        *(f"-timeout={_duration(job.timeout_seconds)}", "-redirects=-1"),
    ]
    try:
        with Recording(_program(), made) as recording:
            _run(arguments, job, folder / "said.txt", recording, progress)
            if not recording.finish() and recording.hits.at:
                raise LoadError("vegeta can't read its own results")
    except OSError as error:
        raise _absent(error) from error
    if not recording.hits.at:
        raise LoadError("vegeta sent no request at all")
    return recording.hits


def _run(
    arguments: Sequence[str], job: Load, said: Path, recording: Recording, progress: Progress
) -> None:
    """Until vegeta ends, with a line of progress every few seconds."""
    limit = job.duration_seconds + job.timeout_seconds + MARGIN_SECONDS
    lines = Progression(recording.hits, job.duration_seconds)
    with said.open("wb") as out:
        attacker = subprocess.Popen([_program(), *arguments], stdout=out, stderr=out)
    began = told = time.monotonic()
    try:
        while (status := _ended(attacker)) is None:
            recording.catch_up()
            now = time.monotonic()
            if now - told >= TOLD_SECONDS:
                progress.note(lines.words(now - began))
                told = now
            if now - began > limit:
                raise LoadError(f"vegeta did not end within {limit:g} s")
    finally:
        attacker.kill()
        attacker.wait()
    if status:
        text = said.read_text(errors="replace").strip()
        raise LoadError(f"vegeta ended with exit status {status}: {text[-1000:]}")


def _ended(attacker: subprocess.Popen[bytes]) -> int | None:
    try:
        return attacker.wait(STEP_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _program() -> str:
    return os.environ.get("VEGETA") or "vegeta"


def _absent(error: OSError) -> LoadError:
    return LoadError(
        f"the load generator {_program()} can't be run: {error.strerror}; it is looked for on "
        "PATH, or at the environment variable VEGETA"
    )


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
