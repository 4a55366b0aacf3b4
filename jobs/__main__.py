"""What the Jobs run, `python -m jobs verify|load --release PATH`, and for people
`python -m jobs report RESULT.json`.

Exit status: 0 proven or passed, 1 not, 2 when what is given can't be read.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.config import JOB_VARIABLE, JobError, Load, Verify
from jobs.load.results import ResultError
from jobs.load.run import LoadError, load
from jobs.progress import Progress, last_words
from jobs.release import Release
from jobs.report.report import report
from jobs.verify.kubernetes import Cluster
from jobs.verify.run import verify
from jobs.verify.watch import FailedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

LOOK_SECONDS = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    given = _parser().parse_args(arguments)
    if given.job == "report":
        return run_report(given.result, given.previous, given.out)
    run = run_verify if given.job == "verify" else run_load
    try:
        return run(given.config, given.release)
    except JobError as error:
        last_words(f"{given.job}: {error}")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    kinds = parser.add_subparsers(dest="job", required=True)
    for name, words in (("verify", "prove an endpoint"), ("load", "load it, judge the figures")):
        job = kinds.add_parser(name, help=words)
        job.add_argument("--config", type=Path, help=f"what to do, as JSON; else ${JOB_VARIABLE}")
        job.add_argument("--release", type=Path, required=True, help="release.json")
    page = kinds.add_parser("report", help="a load test's result as a page")
    page.add_argument("result", type=Path, help="result.json")
    page.add_argument("--previous", type=Path, help="result.json to compare it with")
    page.add_argument("--out", type=Path, help="where to; report.html beside the result")
    return parser


def run_report(result: Path, previous: Path | None, out: Path | None) -> int:
    """Exit status of a report."""
    try:
        print(report(result, previous, out))
    except ResultError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    return 0


def run_verify(config: Path | None, release: Path) -> int:
    """Exit status of a verification."""
    job, cluster = Verify.read(config), Cluster.here()
    try:
        progress = Progress(already=waited(job, cluster))
        words = verify(job, Release.read(release), cluster, progress)
    except FailedError as error:
        last_words(str(error), job.termination_log)
        return 1
    last_words(words, job.termination_log)
    return 0


def waited(job: Verify, cluster: Cluster | None) -> float:
    """Seconds of the deadline that are gone: those in which this pod waited for its node and image.

    Kubernetes ends the Job a minute after the deadline, counted from the start of the Job. A short
    time is left in any case, to look at the endpoint and to say what is wrong.
    """
    age = cluster.age(job.namespace, os.environ.get("HOSTNAME", "")) if cluster else 0.0
    return max(0.0, min(age, job.deadline_seconds - LOOK_SECONDS))


def run_load(config: Path | None, release: Path) -> int:
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
