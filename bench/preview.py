"""What previews and updates of the program cost, beside a program of one resource a provider.

`python -m bench.preview`: a local cluster of its own, the real CLI, runs that alternate, medians.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.results import keep, read
from bench.serving import svg
from local.cluster import bring_down, bring_up
from local.environment import environment
from local.layout import ROOT, Layout
from model.files import RELEASE_JSON, replace
from model.signature import Release, digest, lock_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = ("Pulumi.yaml", "__main__.py", "infra", "model", "templates")
PICTURE = ROOT / "docs" / "previews.svg"
ROUNDS = 5
GROWTH = (1, 10, 50, 200)
# Goals: a preview over the trivial one's, one of fifty models over that, an update over a preview.
LIMITS = {"one_over_trivial": 1.3, "fifty_over_trivial": 2.0, "update_over_preview": 1.5}
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


class Project:
    """A folder with a program and one stack on the cluster."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.layout = folder, layout

    def pulumi(self, *words: str) -> None:
        """Raises RuntimeError with what the CLI said."""
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=self.folder,
            env=environment(self.layout),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"pulumi {' '.join(words)}: {done.stdout}{done.stderr}")

    def timed(self, *words: str) -> Run:
        """In a process of its own, so that the memory is this run's."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            begun = time.perf_counter()
            self.pulumi(*words)
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
    return _stack(Project(folder, layout), "trivial")


def program(folder: Path, layout: Layout, models: int) -> Project:
    """This project's, as the local stack has it, with so many models."""
    folder.mkdir()
    for name in PROGRAM:
        (folder / name).symlink_to(ROOT / name)
    names = ["digits", *(f"digits-{at}" for at in range(1, models))]
    entries = {name: _release(folder, name) for name in names}
    lock = {"schema": 1, "models": entries}
    (folder / "models.lock.json").write_text(json.dumps(lock))
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    config |= {"kserve-triton:models": {name: {} for name in names}}
    config["kserve-triton:perf"] = {"enabled": False}
    made = _stack(Project(folder, layout), f"bench-{models}")
    path = folder / f"Pulumi.bench-{models}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"config": config}))
    return made


def _release(folder: Path, name: str) -> dict[str, Any]:
    """The release of `digits` under another name, and what the lock says of it."""
    source, target = ROOT / "build" / "digits", folder / "build" / name
    raw = json.loads((source / RELEASE_JSON).read_text()) | {"name": name}
    release = Release.from_json(json.dumps(raw).encode())
    replace(target / RELEASE_JSON, release.to_json())
    for file in ("model.pt", *(f"warmup/{each}" for each in release.warmup)):
        (target / file).parent.mkdir(exist_ok=True)
        (target / file).symlink_to(source / file)
    entry = lock_entry(release)
    assert entry["digest"] == digest(release.to_json())
    return entry


def _stack(project: Project, name: str) -> Project:
    project.pulumi("stack", "init", name)
    return project


def interleaved(projects: dict[str, Project], rounds: int) -> dict[str, Run]:
    """Medians of as many previews of each, in turn; the first of each doesn't count."""
    runs: dict[str, list[Run]] = {name: [] for name in projects}
    for at in range(rounds + 1):
        for name, project in projects.items():
            runs[name].append(project.timed("preview"))
            print(f"  {at}/{rounds} preview of {name}: {runs[name][-1].seconds:.2f} s", flush=True)
    return {name: median(each[1:]) for name, each in runs.items()}


def median(runs: list[Run]) -> Run:
    """Of each figure by itself."""
    fields = ("seconds", "cpu_seconds", "megabytes")
    return Run(*(statistics.median(getattr(run, name) for run in runs) for name in fields))


def measure(base: Path, layout: Layout, rounds: int) -> dict[str, Any]:
    """Everything that results.json says of previews and updates."""
    projects = {"trivial": trivial(base / "trivial", layout)}
    projects |= {f"{n} models": program(base / f"models-{n}", layout, n) for n in GROWTH}
    found = interleaved(projects, rounds)
    one = projects["1 models"]
    one.pulumi("up", "--yes", "--skip-preview")
    pairs = [
        (one.timed("preview"), one.timed("up", "--yes", "--skip-preview")) for _ in range(rounds)
    ]
    preview, update = (median(list(side)) for side in zip(*pairs, strict=True))
    one.pulumi("destroy", "--yes", "--skip-preview")
    floor = found["trivial"].seconds
    return {
        "previews": {name: asdict(run) for name, run in found.items()},
        "no_op": {"preview": asdict(preview), "update": asdict(update)},
        "ratios": {
            "one_over_trivial": found["1 models"].seconds / floor,
            "fifty_over_trivial": found["50 models"].seconds / floor,
            "update_over_preview": update.seconds / preview.seconds,
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


def picture(found: dict[str, Any]) -> str:
    """Seconds of a preview over the number of models, as SVG."""
    runs = [(n, found["previews"][f"{n} models"]) for n in GROWTH]
    walls = tuple((float(n), float(run["seconds"])) for n, run in runs)
    cpus = tuple((float(n), float(run["cpu_seconds"])) for n, run in runs)
    drawn = [
        svg.Line("seconds", walls, "#00798c"),
        svg.Line("CPU seconds", cpus, "#777777", "8 4"),
    ]
    most = max(y for line in drawn for _, y in line.points)
    axes = svg.linear("models in the stack", GROWTH[-1]), svg.linear("s", most)
    return svg.plot("A preview of the local stack", drawn, *axes)


def main() -> None:
    """Measure, print, and keep what was found."""
    parser = argparse.ArgumentParser(prog="python -m bench.preview", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--render", action="store_true", help="only draw what was measured")
    given = parser.parse_args()
    found = read()["preview"] if given.render else measured(given.rounds)
    print("\n".join(lines(found)))
    PICTURE.write_text(picture(found))


def measured(rounds: int) -> dict[str, Any]:
    """On a cluster of its own; kept in results.json."""
    with tempfile.TemporaryDirectory(prefix="kserve-triton-bench-") as folder:
        layout = Layout(Path(folder) / "cluster")
        bring_up(layout)
        try:
            found = measure(Path(folder), layout, rounds)
        finally:
            bring_down(layout)
    keep("preview", found)
    return found


if __name__ == "__main__":
    main()
