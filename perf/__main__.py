"""`python -m perf verify|load --config PATH --release PATH`: what the Jobs run.

Exit status: 0 proven or passed, 1 not, 2 when the job can't be read.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from perf.job import JobError, Load, Verify
from perf.kubernetes import Cluster
from perf.load import LoadError, load
from perf.release import Release
from perf.say import Progress, last_words
from perf.verify import verify
from perf.watch import FailedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m perf", description=__doc__)
    parser.add_argument("job", choices=("verify", "load"))
    parser.add_argument("--config", type=Path, required=True, help="job.json")
    parser.add_argument("--release", type=Path, required=True, help="release.json")
    given = parser.parse_args(arguments)
    run = run_verify if given.job == "verify" else run_load
    try:
        return run(given.config, given.release)
    except JobError as error:
        last_words(f"{given.job}: {error}")
        return 2


def run_verify(config: Path, release: Path) -> int:
    """Exit status of a verification."""
    job = Verify.read(config)
    try:
        words = verify(job, Release.read(release), Cluster.here(), Progress())
    except FailedError as error:
        last_words(str(error), job.termination_log)
        return 1
    last_words(words, job.termination_log)
    return 0


def run_load(config: Path, release: Path) -> int:
    """Exit status of a load test."""
    job = Load.read(config)
    try:
        words, passed = load(job, Release.read(release), Progress())
    except LoadError as error:
        last_words(f"load test of {job.model}: {error}", job.termination_log)
        return 1
    last_words(words, job.termination_log)
    return 0 if passed else 1


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    # As a container's first process it would otherwise ignore being told to end.
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main())
