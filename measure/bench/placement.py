"""What the placements cost: the transformer in pods of its own, and beside Triton in one pod.

`python -m measure.bench.placement`: a local cluster of its own, where KServe makes pods with
addresses of their own, and the stack's own load test Job asks each service in turn. Medians of the
rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jobs.config import JOB_VARIABLE
from local.api import Api
from local.errors import LocalError
from local.reports import fetch
from measure.bench.results import keep, medians
from measure.bench.stacks import cluster, program
from measure.bench.tables import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.layout import Layout

KEY = "placement"
HEADS = ("", "as sent ms", "mean", "p50", "p99", "as sent: to Triton alone")
ROUNDS = 5
RATE, SECONDS, WARM_SECONDS = 100, 8, 1
JOBS = "/apis/batch/v1/namespaces/models/jobs"
PATIENCE_SECONDS = 120.0
SETTINGS: dict[str, dict[str, Any]] = {
    # So that all fit on a node of two cores; they are asked one after the other.
    "predictor": {"cpu": "100m", "memory": "2Gi"},
    "transformer": {"cpu": "100m"},
    "jobs": {"cpu": "50m"},
    # The verdict is of no interest here, the figures are.
    "perf": {
        "rate": 10,
        "durationSeconds": 1,
        "upload": True,
        "objectives": {"p99Ms": 10_000, "successRatio": 0.5, "rateRatio": 0.1},
    },
}
MODELS: dict[str, dict[str, Any]] = {
    "separate": {},
    "separate-grpc": {"protocol": "grpc"},
    "collocated": {"placement": "collocated"},
    "collocated-grpc": {"placement": "collocated", "protocol": "grpc"},
}


@dataclass(frozen=True)
class Subject:
    """A model of the stack, and whether its Triton is asked instead of its transformer."""

    name: str
    title: str
    model: str
    alone: bool = False

    def asked(self, job: dict[str, Any], seconds: float, result: str) -> dict[str, Any]:
        """What the model's own load test is asked, with this load."""
        made = job | {"rate": RATE, "duration_seconds": seconds, "result": result}
        if self.alone:
            made |= {
                "target": "predictor",
                "url": job["url"].replace("-transformer.", "-predictor."),
            }
        return made


SUBJECTS = (
    Subject("triton", "Triton alone, binary", "separate", alone=True),
    Subject("separate", "pods of its own, binary to Triton", "separate"),
    Subject("separate-grpc", "pods of its own, gRPC to Triton", "separate-grpc"),
    Subject("collocated", "beside Triton, binary", "collocated"),
    Subject("collocated-grpc", "beside Triton, gRPC", "collocated-grpc"),
)


@dataclass(frozen=True)
class Figures:
    """Milliseconds: the mean from the send on, percentiles from when a request was due."""

    service_ms: float
    mean_ms: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, result: dict[str, Any]) -> Figures:
        """Of a load test's result.json. Raises RuntimeError unless every answer was good."""
        if result["success_ratio"] < 1:
            raise RuntimeError(f"{result['url']}: {result['errors'] or result['status_codes']}")
        latency = result["latency_ms"]
        return cls(result["service_ms"]["mean"], latency["mean"], latency["p50"], latency["p99"])


class Bench:
    """The stack's load test Jobs, made again with other loads."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.api = layout, Api(layout)
        found = self.api.get(JOBS)["items"]
        self.jobs = {
            model: next(job for job in found if _is_load_test(job, model)) for model in MODELS
        }

    def measure(self, subject: Subject, name: str, seconds: float) -> Figures:
        """Raises RuntimeError where the Job leaves no result."""
        job = self.jobs[subject.model]
        own = _asked(job)
        result = f"{own['result'].rpartition('/')[0]}/{name}.json"
        asked = subject.asked(own, seconds, result)
        self.api.request("POST", JOBS, again(job, name, asked))
        self._wait(name)
        self.api.request("DELETE", f"{JOBS}/{name}?propagationPolicy=Background")
        found = fetch(self.layout, result)
        if found is None:
            raise RuntimeError(f"Job {name} left no result; its log is in {self.layout.logs}")
        return Figures.of(found)

    def _wait(self, name: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            conditions = self.api.get(f"{JOBS}/{name}")["status"].get("conditions", [])
            if any(each["type"] in ("Complete", "Failed") for each in conditions):
                return
            time.sleep(0.2)
        raise RuntimeError(f"Job {name} is not done after {PATIENCE_SECONDS:.0f} s")


def _is_load_test(job: dict[str, Any], model: str) -> bool:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return bool(container["name"] == "load" and _asked(job)["model"] == model)


def _asked(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (variable,) = [each for each in container["env"] if each["name"] == JOB_VARIABLE]
    found: dict[str, Any] = json.loads(variable["value"])
    return found


def again(job: dict[str, Any], name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """A Job like another one, by another name and asked something else."""
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variable = {"name": JOB_VARIABLE, "value": json.dumps(asked)}
    # Without the labels by which the other Job's controller knows its pods.
    labels = {
        key: value
        for key, value in job["spec"]["template"]["metadata"]["labels"].items()
        if key.startswith("app.kubernetes.io/")
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": labels},
                "spec": pod | {"containers": [container | {"env": [variable]}]},
            },
        },
    }


def measure(bench: Bench, rounds: int, seconds: float) -> dict[str, Any]:
    """Every subject in every round, somebody else first in each."""
    runs: dict[str, list[Figures]] = {subject.name: [] for subject in SUBJECTS}
    for subject in SUBJECTS:
        bench.measure(subject, f"warm-{subject.name}", WARM_SECONDS)
    for number in range(rounds):
        at = number % len(SUBJECTS)
        for subject in (*SUBJECTS[at:], *SUBJECTS[:at]):
            found = bench.measure(subject, f"{subject.name}-{number}", seconds)
            runs[subject.name].append(found)
            print(f"  {number + 1}/{rounds} {subject.title}: {found.service_ms:.2f} ms", flush=True)
    figures = {name: asdict(medians(each)) for name, each in runs.items()}
    return {"rounds": rounds, "seconds": seconds, "figures": figures}


def rows(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """One for each subject, as HEADS has it; all but "as sent" from when a request was due."""
    figures = {name: Figures(**each) for name, each in found["figures"].items()}
    floor = figures["triton"].service_ms
    for subject in SUBJECTS:
        each = figures[subject.name]
        numbers = (each.service_ms, each.mean_ms, each.p50_ms, each.p99_ms, each.service_ms / floor)
        yield (subject.title, *(f"{number:.2f}" for number in numbers))


def measured(rounds: int, seconds: float) -> dict[str, Any]:
    """On a cluster of its own."""
    with cluster() as (base, layout):
        stack = program(base / "stack", layout, "placement", MODELS, SETTINGS)
        print(f"{len(MODELS)} services: starting …", flush=True)
        stack.pulumi("up", "--yes", "--skip-preview")
        return measure(Bench(layout), rounds, seconds)


def main() -> None:
    """Measure, print, and keep what was found."""
    parser = argparse.ArgumentParser(prog="python -m measure.bench.placement", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each load")
    given = parser.parse_args()
    try:
        found = measured(given.rounds, given.seconds)
    except (LocalError, RuntimeError) as error:
        raise SystemExit(f"the placements can't be measured: {error}") from error
    keep(KEY, found)
    print(text(HEADS, list(rows(found))))


if __name__ == "__main__":
    main()
