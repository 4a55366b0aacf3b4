"""vegeta, the load generator: its targets, one attack, and what it recorded."""

from __future__ import annotations

import base64
import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.measure import Hits, collect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perf.job import Load

__all__ = ["LoadError", "Target", "attack"]

# Connections are made before, answers are awaited after.
MARGIN_SECONDS = 60.0


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


def attack(targets: Sequence[Target], job: Load, folder: Path) -> Hits:
    """One attempt at the asked rate. Raises LoadError when vegeta can't be run or fails."""
    given, made = folder / "targets.json", folder / "results.bin"
    given.write_text("".join(target.line() + "\n" for target in targets))
    arguments = [
        *("attack", "-format=json", f"-targets={given}", f"-output={made}"),
        *(f"-rate={job.rate}/1s", f"-duration={_duration(job.duration_seconds)}"),
        # A redirect is not an answer.
        *(f"-timeout={_duration(job.timeout_seconds)}", "-redirects=-1"),
    ]
    _run(arguments, job.duration_seconds + job.timeout_seconds + MARGIN_SECONDS)
    return _recorded(made)


def _recorded(made: Path) -> Hits:
    """Every request; its report would give quantiles that are estimates, and errors uncounted."""
    csv.field_size_limit(sys.maxsize)
    try:
        with subprocess.Popen(
            [_program(), "encode", "-to=csv", str(made)],
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            # The CSV reader looks after line ends itself.
            bufsize=1 << 20,
        ) as process:
            assert process.stdout is not None
            hits = collect(csv.reader(process.stdout))
    except OSError as error:
        raise _absent(error) from error
    if process.returncode:
        raise LoadError(f"vegeta can't read its own results (exit status {process.returncode})")
    if not hits.at:
        raise LoadError("vegeta sent no request at all")
    return hits


def _run(arguments: Sequence[str], limit: float) -> None:
    try:
        done = subprocess.run(
            [_program(), *arguments], capture_output=True, text=True, timeout=limit, check=False
        )
    except OSError as error:
        raise _absent(error) from error
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"vegeta did not end within {limit:g} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise LoadError(f"vegeta ended with exit status {done.returncode}: {said[-1000:]}")


def _program() -> str:
    return os.environ.get("VEGETA") or "vegeta"


def _absent(error: OSError) -> LoadError:
    return LoadError(
        f"the load generator {_program()} can't be run: {error.strerror}; it is looked for on "
        "PATH, or at the environment variable VEGETA"
    )


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
