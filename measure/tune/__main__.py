"""`python -m measure.tune MODEL --stack STACK`: see docs/tuning.md."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from infra.config import Promotion
from infra.config.types import Device
from infra.manifests.model_config import RenderError
from infra.releases import ReleasesError, load
from jobs.config import JobError
from jobs.load.vegeta import LoadError
from jobs.samples import read_release
from local.deploy import STACKS
from local.errors import LocalError
from local.layout import ROOT
from local.node.quantity import quantity
from local.toolchain import tool
from measure.procfs import processor
from measure.releases import BuildError
from measure.tune import formats
from measure.tune.deployed_stack import DeployedStack
from measure.tune.deployment import TuneError
from measure.tune.figure import draw
from measure.tune.grid import grid
from measure.tune.knobs import Knobs, changes
from measure.tune.local_triton import LocalTriton
from measure.tune.report import LOCAL, Outcome, document, table
from measure.tune.search import margin, winner
from measure.tune.session import BATCH, Plan, Session
from measure.tune.stack import StackFile
from release.files import RELEASE_JSON
from release.schema import ReleaseError

if TYPE_CHECKING:
    from infra.manifests.artefact import Artefact
    from measure.tune.deployment import Deployment

INTERRUPTED = 130
ERRORS = (
    *(TuneError, LoadError, LocalError, ReleaseError, ReleasesError, RenderError, JobError),
    BuildError,
)


def main(argv: list[str] | None = None) -> int:
    """Run a sweep; return the exit status: 0, 1 after an error message, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        file = StackFile.read(arguments.root / f"Pulumi.{arguments.stack}.yaml", arguments.model)
        if arguments.formats:
            print(formats.compare(file, _cores(file, here=True), _plan(arguments), _vegeta()))
            return 0
        if arguments.yes and not _is_measured(file, arguments):
            raise TuneError(
                f"--yes writes what was measured on {file.stack} itself: add --deployed. Without "
                "both this machine's Triton is measured, and the diff is only shown"
            )
        outcome = _measured(file, arguments)
        _store(outcome, arguments.root / "build" / "tune")
        print(table(outcome))
        return _apply(outcome, file, arguments)
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except ERRORS as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m measure.tune", description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="a model of the stack's")
    parser.add_argument("--stack", default="local", help="stack whose settings are tuned; local")
    parser.add_argument("--quick", action="store_true", help="three points in a minute")
    parser.add_argument("--seconds", type=float, help="of each trial; 3, or 1 with --quick")
    parser.add_argument("--cores", type=int, help="number of cores instead of predictor.cpu")
    parser.add_argument("--yes", action="store_true", help="don't ask, neither to deploy nor write")
    parser.add_argument("--formats", action="store_true", help="compare the formats, write nothing")
    parser.add_argument("--deployed", action="store_true", help="measure the stack itself")
    parser.add_argument("--url", help="with --deployed: URL of the model as seen from here")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser


def _measured(file: StackFile, arguments: argparse.Namespace) -> Outcome:
    # The deployed release is the one that has passed; another one may be tuned here before.
    promotion = file.promotion if arguments.deployed else Promotion()
    artefact = load({file.model: file.settings}, ROOT, promotion).stable[file.model]
    cores = arguments.cores or _cores(file, here=not arguments.deployed)
    stages = grid(file.settings, cores, quick=arguments.quick)
    plan = _plan(arguments)
    present = Knobs.of(file.settings, artefact.release.format)
    apart = margin(plan.resolution)
    with _deployment(file, artefact, cores, arguments) as deployment:
        release = read_release(artefact.folder / RELEASE_JSON)
        session = Session(deployment, file.settings, release, plan, _vegeta())
        points = session.run(stages, present)
        best = winner(points, present, apart)
        again = [each for each in points if best and each.knobs in (present, best.knobs)]
        fits = plan.confirm and file.settings.triton.max_batch_size >= BATCH
        batched = session.in_batches(again) if fits else []
    facts = _facts(file, artefact, plan, arguments) | {
        "cores": cores,
        # The pods of a deployed stack may run on this machine.
        "others_cores": 0.0 if arguments.deployed else mean(session.others or [0.0]),
    }
    objective = file.settings.perf.objectives.p99_ms
    return Outcome(facts, objective, points, present, best, batched)


def _facts(
    file: StackFile, artefact: Artefact, plan: Plan, arguments: argparse.Namespace
) -> dict[str, Any]:
    """The conditions of the measurement."""
    return {
        "model": file.model,
        "stack": file.stack,
        "release_digest": artefact.digest,
        "format": artefact.release.format,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "bench": "deployed" if arguments.deployed else LOCAL,
        "machine": f"{os.cpu_count()} × {processor()}",
        "trial_seconds": plan.seconds,
        "resolution": plan.resolution,
        "batch": BATCH,
    }


def _deployment(
    file: StackFile, artefact: Artefact, cores: int, arguments: argparse.Namespace
) -> Deployment:
    if arguments.deployed:
        question = f"every point is deployed to {file.stack}, which its clients use; continue?"
        if not arguments.yes and not _agreed(question):
            raise TuneError("not measured; --yes continues without asking")
        return DeployedStack(file, arguments.root, arguments.url)
    if file.settings.device is Device.GPU:
        raise TuneError(f"{file.stack} serves {file.model} on GPU; measure it there: --deployed")
    return LocalTriton(artefact, cores, file.settings.predictor.env)


def _plan(arguments: argparse.Namespace) -> Plan:
    return Plan.of(quick=arguments.quick, seconds=arguments.seconds)


def _vegeta() -> str:
    return os.environ.get("VEGETA") or str(tool("vegeta"))


def _cores(file: StackFile, *, here: bool) -> int:
    """Cores of the pod: predictor.cpu rounded up; `here`: at most those of this machine."""
    cores = max(1, math.ceil(quantity(file.settings.predictor.cpu)))
    return min(cores, len(os.sched_getaffinity(0))) if here else cores


def _store(outcome: Outcome, folder: Path) -> None:
    name = outcome.facts["model"]
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".json", document(outcome)), (".svg", draw(outcome))):
        (folder / f"{name}{suffix}").write_text(text)
        print(f"written: {folder / name}{suffix}", file=sys.stderr)


def _is_measured(file: StackFile, arguments: argparse.Namespace) -> bool:
    """Whether what is measured is the stack's own Triton, or one as on this machine's cluster."""
    return bool(arguments.deployed) or file.stack in STACKS.values()


def _apply(outcome: Outcome, file: StackFile, arguments: argparse.Namespace) -> int:
    """Print the diff, and write the stack's file if the user agrees and it was measured there."""
    best, now = outcome.winner, outcome.now
    if best is None:
        print(f"no setting holds p99 under {outcome.objective_ms:g} ms; nothing was written")
        return 1
    if outcome.keeps:
        print(f"{file.path.name} is within the margin of the best already; nothing was written")
        return 0
    gain = f"{best.rate / now.rate - 1:+.0%}" if now.rate else "the present settings hold none"
    print(f"\n{best.rate:.0f}/s under {outcome.objective_ms:g} ms, {gain}, with\n")
    text = file.edited(
        changes(file.settings, best.knobs.on(file.settings, outcome.facts["format"]))
    )
    print(file.diff(text))
    if outcome.disturbed:
        print(
            "not written: other processes disturbed the measurement; repeat it when they are gone"
        )
        return 1
    if not _is_measured(file, arguments):
        there = f"make tune MODEL={file.model} STACK={file.stack} TUNE=--deployed"
        print(f"not written: {file.stack} was not measured; measure it there: {there}")
        return 0
    if not arguments.yes and not sys.stdin.isatty():
        print("not written; the same command with --yes measures again and writes")
        return 0
    if arguments.yes or _agreed("write it?"):
        file.write(text)
        print(f"written: {file.path.name}; deploy it: pulumi up --stack {file.stack}")
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
