"""What previews and updates of the program cost, beside a program of one resource a provider.

`python -m measure.bench.preview`: a local cluster of its own, the real CLI, runs that alternate,
medians.
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
from measure.bench.results import keep, medians, read
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
# Goals: a preview over the trivial one's, one of fifty models over that, an update over a preview.
LIMITS = {"one_over_trivial": 1.3, "fifty_over_trivial": 2.0, "update_over_preview": 1.5}
# With nothing to change: each in the words of the CLI.
NO_OP = {
    "preview": ("preview",),
    "update": ("up", "--yes", "--skip-preview"),
    "preview with --refresh": ("preview", "--refresh"),
}
TRIVIAL = """
import pulumi_gcp
import pulumi_kubernetes
pulumi_gcp.storage.Bucket("one", name="kserve-triton-trivial", location="EU", project="trivial")
pulumi_kubernetes.core.v1.ConfigMap("one", metadata={"name": "trivial", "namespace": "default"})
"""


@dataclass(frozen=True)
class Run:
    """Wall-clock seconds, CPU seconds of all processes, MiB of the largest one."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def timed(project: Project, *words: str) -> Run:
    """In a process of its own, so that the memory is this run's."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        begun = time.perf_counter()
        project.pulumi(*words)
        took = time.perf_counter() - begun
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
    """One resource of each provider."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("{name: trivial, runtime: python}\n")
    (folder / "__main__.py").write_text(TRIVIAL)
    return Project(folder, layout, "trivial")


def with_models(folder: Path, layout: Layout, count: int) -> Project:
    """The local stack with so many models."""
    names = ["digits", *(f"digits-{at}" for at in range(1, count))]
    models: dict[str, dict[str, Any]] = {name: {} for name in names}
    return program(folder, layout, f"bench-{count}", models, {"perf": {"enabled": False}})


def interleaved(projects: dict[str, Project], rounds: int) -> dict[str, Run]:
    """Medians of as many previews of each, in turn; the first of each doesn't count."""
    runs: dict[str, list[Run]] = {name: [] for name in projects}
    for at in range(rounds + 1):
        for name, project in projects.items():
            runs[name].append(timed(project, "preview"))
            print(f"  {at}/{rounds} preview of {name}: {runs[name][-1].seconds:.2f} s", flush=True)
    return {name: medians(each[1:]) for name, each in runs.items()}


def measure(base: Path, layout: Layout, rounds: int) -> dict[str, Any]:
    """Everything that results.json says of previews and updates."""
    projects = {"trivial": trivial(base / "trivial", layout)}
    projects |= {f"{n} models": with_models(base / f"models-{n}", layout, n) for n in GROWTH}
    found = interleaved(projects, rounds)
    one = projects["1 models"]
    one.pulumi("up", "--yes", "--skip-preview")
    taken = [[timed(one, *words) for words in NO_OP.values()] for _ in range(rounds)]
    no_op = dict(zip(NO_OP, map(medians, zip(*taken, strict=True)), strict=True))
    one.pulumi("destroy", "--yes", "--skip-preview")
    floor = found["trivial"].seconds
    return {
        "previews": {name: asdict(run) for name, run in found.items()},
        "no_op": {name: asdict(run) for name, run in no_op.items()},
        "ratios": {
            "one_over_trivial": found["1 models"].seconds / floor,
            "fifty_over_trivial": found["50 models"].seconds / floor,
            "update_over_preview": no_op["update"].seconds / no_op["preview"].seconds,
        },
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """For the terminal."""
    for name, run in found["previews"].items():
        yield (
            f"preview, {name:<12} {run['seconds']:6.2f} s   {run['cpu_seconds']:6.2f} s CPU   "
            f"{run['megabytes']:5.0f} MiB"
        )
    for name, run in found["no_op"].items():
        yield f"nothing to do, {name:<8} {run['seconds']:5.2f} s"
    for name, ratio in found["ratios"].items():
        said = "met" if ratio <= LIMITS[name] else "MISSED"
        yield f"{name.replace('_', ' '):<22} {ratio:.2f} (goal: {LIMITS[name]}, {said})"


def page(found: dict[str, Any], text: str) -> str:
    """The page with these figures between its marks, in the place of others."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{figures(found)}\n{END}{after}"


def figures(found: dict[str, Any]) -> str:
    """A Markdown table."""
    floor = found["previews"]["trivial"]["seconds"]
    previews = found["previews"]
    made = [_row("a trivial program", previews["trivial"], floor)]
    for count in GROWTH:
        title = f"{count} model{'s' if count > 1 else ''}"
        made.append(_row(title, previews[f"{count} models"], floor))
    for name in NO_OP:
        made.append(_row(f"nothing to do: {name}", found["no_op"][name], floor))
    return markdown(("", "seconds", "over the trivial one", "CPU seconds", "largest process"), made)


def _row(name: str, run: dict[str, float], floor: float) -> tuple[str, ...]:
    ratio = run["seconds"] / floor
    numbers = (f"{run['seconds']:.1f}", f"{ratio:.2f}", f"{run['cpu_seconds']:.1f}")
    return (name, *numbers, f"{run['megabytes']:.0f} MiB")


def picture(found: dict[str, Any]) -> str:
    """Seconds of a preview over the number of models, as SVG."""
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
    """Measure, print, and keep what was found."""
    parser = argparse.ArgumentParser(prog="python -m measure.bench.preview", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--render", action="store_true", help="only draw what was measured")
    given = parser.parse_args()
    found = read()["preview"] if given.render else measured(given.rounds)
    print("\n".join(lines(found)))
    PICTURE.write_text(picture(found))
    PAGE.write_text(page(found, PAGE.read_text()))


def measured(rounds: int) -> dict[str, Any]:
    """On a cluster of its own; kept in results.json."""
    with cluster() as (base, layout):
        found = measure(base, layout, rounds)
    keep("preview", found)
    return found


if __name__ == "__main__":
    main()
