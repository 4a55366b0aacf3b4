"""Commands of the Jobs, `python -m jobs verify|load --release PATH`, and one for people,
`python -m jobs report RESULT.json`.

Exit status: 0 passed, 1 failed, 2 invalid configuration or files.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.config import JOB_VARIABLE, JobError, LoadConfig, VerifyConfig, read_config
from jobs.load.results import ResultError
from jobs.load.run import LoadError, load
from jobs.progress import Progress, finish
from jobs.report.publish import publish
from jobs.report.report import report
from jobs.samples import read_release
from jobs.verify.kubernetes import Cluster
from jobs.verify.run import verify
from jobs.verify.watch import FailedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# Always left of the deadline, to examine the endpoint and to report what is wrong.
LEAST_SECONDS = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "report":
        return run_report(arguments.result, arguments.previous, arguments.out)
    run = run_verify if arguments.command == "verify" else run_load
    try:
        return run(arguments.config, arguments.release)
    except JobError as error:
        finish(f"{arguments.command}: {error}")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("verify", "verify an endpoint"), ("load", "run a load test")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, help=f"JSON file; ${JOB_VARIABLE} without it")
        command.add_argument("--release", type=Path, required=True, help="release.json")
    page = commands.add_parser("report", help="make a page of a load test's result")
    page.add_argument("result", type=Path, help="result.json")
    page.add_argument("--previous", type=Path, help="result.json to compare it with")
    page.add_argument("--out", type=Path, help="file to write; report.html beside the result")
    return parser


def run_report(result: Path, previous: Path | None, out: Path | None) -> int:
    """Write a page and print its path."""
    try:
        print(report(result, previous, out))
    except ResultError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    return 0


def run_verify(path: Path | None, release: Path) -> int:
    """Verify an endpoint."""
    config, cluster = read_config(VerifyConfig, path), Cluster.of_this_pod()
    try:
        progress = Progress(elapsed=elapsed(config, cluster))
        message = verify(config, read_release(release), cluster, progress)
    except FailedError as error:
        finish(str(error))
        return 1
    finish(message)
    return 0


def elapsed(config: VerifyConfig, cluster: Cluster | None) -> float:
    """Seconds of the deadline that passed before: for a node, an image, or an earlier pod.

    Kubernetes ends the Job a minute after the deadline, counted from the start of the Job.
    """
    age = cluster.job_age(config.namespace, os.environ.get("HOSTNAME", "")) if cluster else 0.0
    return max(0.0, min(age, config.deadline_seconds - LEAST_SECONDS))


def run_load(path: Path | None, release: Path) -> int:
    """Run a load test."""
    config = read_config(LoadConfig, path)
    try:
        progress = Progress()
        document = load(config, read_release(release), progress)
        message, passed = publish(document, config.result, progress)
    except LoadError as error:
        finish(f"load test of {config.model}: {error}")
        return 1
    finish(message)
    return 0 if passed else 1


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    # The first process of a container ignores SIGTERM unless it has a handler.
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main())
