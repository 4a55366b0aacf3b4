"""`python -m measure.tune MODEL --stack STACK`: see docs/tuning.md."""

from __future__ import annotations

import argparse
import math
import os
import platform
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
from jobs.samples import read_release
from measure.tune.deployed import Deployed
from measure.tune.errors import TuneError
from measure.tune.figure import draw
from measure.tune.grid import grid
from measure.tune.knobs import Knobs, changes
from measure.tune.report import Outcome, document, table
from measure.tune.search import margin, winner
from measure.tune.session import BATCH, Plan, Session
from measure.tune.stack import StackFile
from measure.tune.triton import LocalTriton
from measure.tune.vegeta import program
from release.files import RELEASE_JSON

if TYPE_CHECKING:
    from infra.releases import Artefact
    from measure.tune.bench import Bench

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, 1 after a line on what is wrong, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        file = StackFile.read(arguments.root / f"Pulumi.{arguments.stack}.yaml", arguments.model)
        outcome = _measured(file, arguments)
        _keep(outcome, arguments.root / "build" / "tune")
        print(table(outcome))
        return _settle(outcome, file, write=arguments.yes)
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except (TuneError, ReleasesError, RenderError, JobError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m measure.tune", description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="a model of the stack's")
    parser.add_argument("--stack", default="local", help="whose settings and objectives; local")
    parser.add_argument("--quick", action="store_true", help="three points, a minute: a look only")
    parser.add_argument("--seconds", type=float, help="of each trial; 3, or 1 with --quick")
    parser.add_argument("--cores", type=int, help="as if predictor.cpu were so many")
    parser.add_argument("--yes", action="store_true", help="don't ask, neither to deploy nor write")
    parser.add_argument("--deployed", action="store_true", help="measure the stack itself")
    parser.add_argument("--url", help="with --deployed: where its URL is reached from here")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser


def _measured(file: StackFile, arguments: argparse.Namespace) -> Outcome:
    artefact = load({file.model: file.settings}, ROOT, Promotion()).stable[file.model]
    cores = arguments.cores or _cores(file, here=not arguments.deployed)
    stages = grid(file.settings, cores, quick=arguments.quick)
    plan = Plan.of(quick=arguments.quick, seconds=arguments.seconds)
    vegeta = program()
    present, apart = Knobs.of(file.settings), margin(plan.resolution)
    with _bench(file, artefact, cores, arguments) as bench:
        release = read_release(artefact.folder / RELEASE_JSON)
        session = Session(bench, file.settings, release, plan, vegeta)
        points = session.run(stages, present)
        best = winner(points, present, apart)
        again = [each for each in points if best and each.knobs in (present, best.knobs)]
        fits = plan.confirm and file.settings.triton.max_batch_size >= BATCH
        batched = session.in_batches(again) if fits else []
    facts = _facts(file, artefact, plan, arguments) | {
        "cores": cores,
        # Where the stack itself is measured, its pods may be among them.
        "others_cores": 0.0 if arguments.deployed else mean(session.others or [0.0]),
    }
    objective = file.settings.perf.objectives.p99_ms
    return Outcome(facts, objective, points, present, best, batched)


def _facts(
    file: StackFile, artefact: Artefact, plan: Plan, arguments: argparse.Namespace
) -> dict[str, Any]:
    """What a figure without is worth nothing."""
    return {
        "model": file.model,
        "stack": file.stack,
        "release_digest": artefact.digest,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "bench": "deployed" if arguments.deployed else "local Triton",
        "machine": f"{os.cpu_count()} × {_processor()}",
        "trial_seconds": plan.seconds,
        "resolution": plan.resolution,
        "batch": BATCH,
    }


def _bench(file: StackFile, artefact: Artefact, cores: int, arguments: argparse.Namespace) -> Bench:
    if arguments.deployed:
        question = f"every point is deployed to {file.stack}, whose clients meet it; go on?"
        if not arguments.yes and not _agreed(question):
            raise TuneError("not measured; --yes goes on without asking")
        return Deployed(file, arguments.root, arguments.url)
    if file.settings.device is Device.GPU:
        raise TuneError(f"{file.stack} serves {file.model} on GPU; measure it there: --deployed")
    return LocalTriton(artefact, cores, file.settings.predictor.env)


def _cores(file: StackFile, *, here: bool) -> int:
    """What the pod may use: predictor.cpu rounded up, and no more than there are here."""
    text = file.settings.predictor.cpu
    pod = float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)
    cores = max(1, math.ceil(pod))
    return min(cores, len(os.sched_getaffinity(0))) if here else cores


def _keep(outcome: Outcome, folder: Path) -> None:
    name = outcome.facts["model"]
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".json", document(outcome)), (".svg", draw(outcome))):
        (folder / f"{name}{suffix}").write_text(text)
        print(f"written: {folder / name}{suffix}", file=sys.stderr)


def _settle(outcome: Outcome, file: StackFile, *, write: bool) -> int:
    """The diff, and the file if that is wanted."""
    best, now = outcome.winner, outcome.now
    if best is None:
        print(f"no setting holds p99 under {outcome.objective_ms:g} ms; nothing was written")
        return 1
    if outcome.keeps:
        print(f"{file.path.name} is within the margin of the best already; nothing was written")
        return 0
    gain = f"{best.rate / now.rate - 1:+.0%}" if now.rate else "now it holds none"
    print(f"\n{best.rate:.0f}/s under {outcome.objective_ms:g} ms, {gain}, with\n")
    text = file.edited(changes(file.settings, best.knobs.on(file.settings)))
    print(file.diff(text))
    if outcome.disturbed:
        print("not written, since others disturbed it; measure when it is quiet")
        return 1
    if not write and not sys.stdin.isatty():
        print("not written; the same command with --yes measures anew and writes")
        return 0
    if write or _agreed("write it?"):
        file.write(text)
        print(f"written: {file.path.name}; deploy it: pulumi up --stack {file.stack}")
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _processor() -> str:
    """The kernel's name of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
