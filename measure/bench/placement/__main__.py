"""Latencies by placement of the transformer, and by the parts of Knative in a request's path.

`python -m measure.bench.placement` starts a local cluster of its own with a model for each
placement and one in mode Knative, and runs the stack's load test Job against each address in turn;
medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jobs.config import JOB_VARIABLE
from local.api import Api
from local.errors import LocalError
from local.reports import fetch
from measure.bench.placement.endpoints import (
    ACTIVATOR,
    ENDPOINTS,
    HEADS,
    HOPS,
    KEY,
    PLACEMENTS,
    Endpoint,
    Latencies,
    rows,
)
from measure.bench.placement.knative import add_activator, pod_address, wait_for
from measure.bench.results import medians, store
from measure.bench.stacks import cluster, program
from measure.bench.tables import text

if TYPE_CHECKING:
    from local.layout import Layout

ROUNDS = 3
SECONDS, WARM_SECONDS = 5, 1
JOBS = "/apis/batch/v1/namespaces/models/jobs"
PREDICTOR = "knative-predictor"
SETTINGS: dict[str, dict[str, Any]] = {
    # All models fit on a node of two cores; only one of them is loaded at a time.
    "predictor": {"cpu": "100m", "memory": "1Gi"},
    # Knative asks no registry for the digests of dev.local.
    "transformer": {"image": "dev.local/kserve-triton/transformer:bench", "cpu": "100m"},
    "jobs": {"cpu": "50m"},
    # All start at the same time.
    "verification": {"deadlineSeconds": 240},
    # Objectives that are always met: only the latencies matter here.
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
    "knative": {"mode": "Knative"},
}


class LoadTests:
    """Creates the stack's load test Jobs again with other loads."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.api = layout, Api(layout)
        self.pod = pod_address(self.api, PREDICTOR)
        found = self.api.get(JOBS)["items"]
        self.jobs = {
            model: next(job for job in found if _is_load_test(job, model)) for model in MODELS
        }

    def measure(self, endpoint: Endpoint, name: str, seconds: float) -> Latencies:
        """Run a Job of this name. Raises RuntimeError if it leaves no result."""
        job = self.jobs[endpoint.model]
        own = _config(job)
        result = f"{own['result'].rpartition('/')[0]}/{name}.json"
        config = endpoint.config(own, self.pod, seconds, result)
        self.api.request("POST", JOBS, copy(job, name, config))
        wait_for(lambda: self._done(name), f"Job {name} is not done")
        self.api.request("DELETE", f"{JOBS}/{name}?propagationPolicy=Background")
        found = fetch(self.layout, result)
        if found is None:
            raise RuntimeError(f"Job {name} left no result; its log is in {self.layout.logs}")
        return Latencies.of(found)

    def _done(self, name: str) -> bool:
        conditions = self.api.get(f"{JOBS}/{name}")["status"].get("conditions", [])
        return any(each["type"] in ("Complete", "Failed") for each in conditions)


def _is_load_test(job: dict[str, Any], model: str) -> bool:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return bool(container["name"] == "load" and _config(job)["model"] == model)


def _config(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (variable,) = [each for each in container["env"] if each["name"] == JOB_VARIABLE]
    found: dict[str, Any] = json.loads(variable["value"])
    return found


def copy(job: dict[str, Any], name: str, config: dict[str, Any]) -> dict[str, Any]:
    """A Job with another name and configuration."""
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variable = {"name": JOB_VARIABLE, "value": json.dumps(config)}
    # Without the labels by which the Job controller selects the pods of the other Job.
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


def measure(tests: LoadTests, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure every endpoint in every round, each of which begins elsewhere."""
    runs: dict[str, list[Latencies]] = {endpoint.name: [] for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS:
        tests.measure(endpoint, f"warm-{endpoint.name}", WARM_SECONDS)
    for number in range(rounds):
        at = number * len(ENDPOINTS) // rounds
        for endpoint in (*ENDPOINTS[at:], *ENDPOINTS[:at]):
            found = tests.measure(endpoint, f"{endpoint.name}-{number}", seconds)
            runs[endpoint.name].append(found)
            print(f"  {number + 1}/{rounds} {endpoint.name}: {found.service_ms:.2f} ms", flush=True)
    figures = {name: asdict(medians(each)) for name, each in runs.items()}
    return {"rounds": rounds, "seconds": seconds, "figures": figures}


def measured(rounds: int, seconds: float) -> dict[str, Any]:
    """Measure on a cluster of its own."""
    before = {"load": round(os.getloadavg()[0], 1)}
    with cluster() as (base, layout):
        stack = program(base / "stack", layout, "placement", MODELS, SETTINGS)
        print(f"{len(MODELS)} models: starting …", flush=True)
        stack.pulumi("up", "--yes", "--skip-preview")
        add_activator(Api(layout), PREDICTOR, ACTIVATOR)
        return before | measure(LoadTests(layout), rounds, seconds)


def main() -> None:
    """Measure, print, and store the results."""
    parser = argparse.ArgumentParser(prog="python -m measure.bench.placement", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each load")
    arguments = parser.parse_args()
    try:
        found = measured(arguments.rounds, arguments.seconds)
    except (LocalError, RuntimeError) as error:
        raise SystemExit(f"the placements can't be measured: {error}") from error
    store(KEY, found)
    for titles in (PLACEMENTS, HOPS):
        print(text(HEADS, list(rows(found, titles))))


if __name__ == "__main__":
    main()
