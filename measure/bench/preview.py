"""The time of previews and updates, compared with a program of three resources.

`python -m measure.bench.preview` starts a local cluster of its own and runs the real CLI on stacks
of different sizes in turn; medians.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jobs.report import plot
from local.layout import ROOT, Layout
from measure.bench.results import medians, read, store
from measure.bench.stacks import Project, cluster, program
from measure.bench.tables import markdown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "docs" / "previews.md"
PICTURE = ROOT / "docs" / "previews.svg"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
ROUNDS = 5
GROWTH = (1, 10, 50, 200)
# Goals: a preview of one model over the trivial program's; seconds a model from 10 to 50 models
# over those from 1 to 10, 1 if linear; an update without changes over a preview.
LIMITS = {"one_over_trivial": 1.5, "growth_to_fifty": 1.5, "update_over_preview": 1.5}
# Commands of the CLI on a stack without changes.
NO_OP = {
    "preview": ("preview",),
    "update": ("up", "--yes", "--skip-preview"),
    "preview with --refresh": ("preview", "--refresh"),
}
TRIVIAL = """
import pulumi
from pulumi_gcp import storage
from pulumi_kubernetes import core
bucket = storage.Bucket("one", name="kserve-triton-trivial", location="EU", project="trivial")
storage.BucketObject("one", bucket=bucket.name, name="one", source=pulumi.StringAsset("one"))
core.v1.ConfigMap("one", metadata={"name": "trivial", "namespace": "default"})
"""


@dataclass(frozen=True)
class Run:
    """Wall-clock seconds, CPU seconds of all processes, MiB of the largest process."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def timed(project: Project, *words: str) -> Run:
    """Run the CLI from a process of its own, whose children are only this run's."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        started = time.perf_counter()
        project.pulumi(*words)
        took = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = Run(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
        os.write(writer, json.dumps(asdict(run)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        raise RuntimeError(f"pulumi {' '.join(words)} failed, see above")
    return Run(**json.loads(text))


def trivial(folder: Path, layout: Layout) -> Project:
    """The trivial program."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("{name: trivial, runtime: python}\n")
    (folder / "__main__.py").write_text(TRIVIAL)
    return Project(folder, layout, "trivial")


def with_models(folder: Path, layout: Layout, count: int) -> Project:
    """This program's local stack with `count` models."""
    names = ["digits", *(f"digits-{at}" for at in range(1, count))]
    models: dict[str, dict[str, Any]] = {name: {} for name in names}
    return program(folder, layout, f"bench-{count}", models, {"perf": {"enabled": False}})


def medians_of_previews(projects: dict[str, Project], rounds: int) -> dict[str, Run]:
    """Medians of `rounds` previews of each project, in turn, after one that does not count."""
    runs: dict[str, list[Run]] = {name: [] for name in projects}
    for at in range(rounds + 1):
        for name, project in projects.items():
            runs[name].append(timed(project, "preview"))
            print(f"  {at}/{rounds} preview of {name}: {runs[name][-1].seconds:.2f} s", flush=True)
    return {name: medians(each[1:]) for name, each in runs.items()}


def measure(base: Path, layout: Layout, rounds: int) -> dict[str, Any]:
    """The part of results.json about previews and updates."""
    projects = {"trivial": trivial(base / "trivial", layout)}
    projects |= {f"{n} models": with_models(base / f"models-{n}", layout, n) for n in GROWTH}
    one = projects["1 models"]
    one.pulumi("up", "--yes", "--skip-preview")
    taken = [[timed(one, *words) for words in NO_OP.values()] for _ in range(rounds)]
    no_op = dict(zip(NO_OP, map(medians, zip(*taken, strict=True)), strict=True))
    # The namespace stays. Where it is missing, the API server waits 50 ms for each object in it.
    one.pulumi("destroy", "--yes", "--skip-preview")
    found = medians_of_previews(projects, rounds)
    return {
        "previews": {name: asdict(run) for name, run in found.items()},
        "no_op": {name: asdict(run) for name, run in no_op.items()},
    }


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """The figures that LIMITS bound."""
    seconds = {name: run["seconds"] for name, run in found["previews"].items()}
    one, ten, fifty = (seconds[f"{count} models"] for count in (1, 10, 50))
    return {
        "one_over_trivial": one / seconds["trivial"],
        "growth_to_fifty": ((fifty - ten) / 40) / ((ten - one) / 9),
        "update_over_preview": found["no_op"]["update"]["seconds"]
        / found["no_op"]["preview"]["seconds"],
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The results for a terminal."""
    for name, run in found["previews"].items():
        yield (
            f"preview, {name:<12} {run['seconds']:6.2f} s   {run['cpu_seconds']:6.2f} s CPU   "
            f"{run['megabytes']:5.0f} MiB"
        )
    for name, run in found["no_op"].items():
        yield f"nothing to do, {name:<8} {run['seconds']:5.2f} s"
    for name, ratio in ratios(found).items():
        verdict = "met" if ratio <= LIMITS[name] else "MISSED"
        yield f"{name.replace('_', ' '):<22} {ratio:.2f} (goal: {LIMITS[name]}, {verdict})"


def page(found: dict[str, Any], text: str) -> str:
    """Replace the figures between the marks of the page's text."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{figures(found)}\n{END}{after}"


def figures(found: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    floor = found["previews"]["trivial"]["seconds"]
    previews = found["previews"]
    rows = [_row("a trivial program", previews["trivial"], floor)]
    for count in GROWTH:
        title = f"{count} model{'s' if count > 1 else ''}"
        rows.append(_row(title, previews[f"{count} models"], floor))
    for name in NO_OP:
        rows.append(_row(f"nothing to do: {name}", found["no_op"][name], floor))
    return markdown(("", "seconds", "over the trivial one", "CPU seconds", "largest process"), rows)


def _row(name: str, run: dict[str, float], floor: float) -> tuple[str, ...]:
    ratio = run["seconds"] / floor
    numbers = (f"{run['seconds']:.1f}", f"{ratio:.2f}", f"{run['cpu_seconds']:.1f}")
    return (name, *numbers, f"{run['megabytes']:.0f} MiB")


def picture(found: dict[str, Any]) -> str:
    """A plot of the seconds of a preview by number of models."""
    runs = [(float(n), found["previews"][f"{n} models"]) for n in GROWTH]
    wall = [(n, run["seconds"]) for n, run in runs]
    cpu = [(n, run["cpu_seconds"]) for n, run in runs]
    lines = [
        plot.Series("wall-clock time", wall, "teal", dots=True),
        plot.Series("CPU time", cpu, "grey", "8 4", dots=True),
    ]
    x = plot.linear("models in the stack", GROWTH)
    y = plot.linear("seconds", [value for _, value in wall + cpu])
    return plot.plot("A preview of the local stack", lines, x, y)


def main() -> None:
    """Measure, print, store the results, and update the page."""
    parser = argparse.ArgumentParser(prog="python -m measure.bench.preview", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--render", action="store_true", help="only make the page")
    arguments = parser.parse_args()
    found = read()["preview"] if arguments.render else measured(arguments.rounds)
    print("\n".join(lines(found)))
    PICTURE.write_text(picture(found))
    PAGE.write_text(page(found, PAGE.read_text()))


def measured(rounds: int) -> dict[str, Any]:
    """Measure on a cluster of its own, and store the results."""
    with cluster() as (base, layout):
        found = measure(base, layout, rounds)
    store("preview", found)
    return found


if __name__ == "__main__":
    main()
