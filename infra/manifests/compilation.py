"""The Job that compiles an exported program to the AOTInductor package that Triton loads.

A package is for one PyTorch and one kind of processor. So the Job runs PyTorch of the version that
Triton's container has, on nodes like those that will serve. It adds the package to the model's
folder in the bucket, from which the storage initializer brings it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.config.types import Device
from infra.manifests.job_template import JobSpec, job_manifest
from infra.manifests.pods import SCRATCH, SECURITY, resources, scratch_volume
from infra.manifests.scaling import scheduling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Jobs, ModelSettings
    from infra.manifests.names import Manifest
    from infra.manifests.served_release import ServedRelease

WORK = "/work"
# Names in the work folder; see jobs/compile/.
COMPILE, PROGRAM = "compile.py", "program.pt2"
# Storage or network may fail for a while. Attempts don't disturb each other.
RETRIES = 2
# Images of PyTorch run as root unless they are told otherwise.
USER = 65532


def compiler_image(settings: ModelSettings) -> str:
    """The image with PyTorch."""
    return settings.compiler.image or f"nvcr.io/nvidia/pytorch:{settings.triton.container}"


def compile_target(settings: ModelSettings) -> str:
    """What a package is compiled for: with another one, another package has to be made."""
    triton = settings.triton.image or settings.triton.container
    nodes = scheduling(settings.predictor, settings.device).get("nodeSelector", {})
    target = [compiler_image(settings), triton, settings.device.value, nodes]
    return "\n" + json.dumps(target, sort_keys=True)


def compilation(served: ServedRelease, jobs: Jobs, bucket: str) -> JobSpec:
    """The Job: fetch the program, compile it, add the package to the bucket."""
    settings, artefact = served.settings, served.artefact
    name = f"compile-{served.name}-{artefact.version}"
    nodes = scheduling(settings.predictor, settings.device)
    fetch = [f"gs://{bucket}/{artefact.program}", artefact.release.model.sha256, WORK]
    package = f"{WORK}/{artefact.release.model_file}"
    upload = [package, f"{served.storage_uri}/{artefact.model}"]
    pod: Manifest = {
        "initContainers": [
            _transfer("fetch", fetch, jobs),
            _compile(package, settings),
        ],
        "containers": [_transfer("upload", upload, jobs)],
        "volumes": [{"name": "work", "emptyDir": {}}, scratch_volume()],
        **{key: nodes[key] for key in ("nodeSelector", "tolerations") if key in nodes},
    }
    seconds = settings.compiler.deadline_seconds
    manifest = job_manifest(
        name,
        served,
        jobs,
        pod,
        seconds=seconds,
        own_labels={"app.kubernetes.io/component": "compiler"},
        account=settings.compiler.service_account,
        retries=RETRIES,
    )
    return JobSpec(name, artefact.version, seconds, manifest)


def _transfer(command: str, args: Sequence[str], jobs: Jobs) -> Manifest:
    return _container(command, jobs.image, ["python", "-m", "jobs.compile", command, *args]) | {
        "resources": resources(jobs),
        "securityContext": SECURITY,
    }


def _compile(package: str, settings: ModelSettings) -> Manifest:
    gpu = settings.device is Device.GPU
    command = ["python", f"{WORK}/{COMPILE}", f"{WORK}/{PROGRAM}", package]
    return _container(
        "compile", compiler_image(settings), [*command, f"--device={'cuda' if gpu else 'cpu'}"]
    ) | {
        "resources": resources(settings.compiler, int(gpu)),
        "securityContext": SECURITY | {"runAsUser": USER, "runAsGroup": USER},
    }


def _container(name: str, image: str, command: list[str]) -> Manifest:
    return {
        "name": name,
        "image": image,
        "command": command,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "work", "mountPath": WORK}, SCRATCH],
    }
