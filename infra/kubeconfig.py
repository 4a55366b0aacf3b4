"""The cluster that a stack's file names, in the kubeconfig of this machine.

The Kubernetes plugin takes kubectl's current context where a stack names none, and shows all as
unchanged where the context does not exist. `kubernetes:context` is the plugin's own setting; it is
kept in the state, so that `pulumi destroy` and `pulumi refresh` use the same cluster.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTEXT, KUBECONFIG = "kubernetes:context", "kubernetes:kubeconfig"
# As gcloud names the contexts that it writes.
_GKE = re.compile(r"gke_(?P<project>[^_]+)_(?P<location>[^_]+)_(?P<cluster>[^_]+)")
# The local cluster's; see local/certificates.py.
LOCAL = "kserve-triton-local"


def check_context(config: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """Why the stack's cluster can't be reached by this kubeconfig; None if it can.

    A stack that brings a kubeconfig of its own names its cluster by that.
    """
    if config.get(KUBECONFIG):
        return None
    files = _files(environ)
    known = [name for file in files for name in _contexts(file)]
    name = config.get(CONTEXT)
    if not name:
        return (
            f"{CONTEXT}: missing; a stack names its cluster, so that it is never deployed into "
            "another one. Set it: pulumi config set kubernetes:context CONTEXT; this machine has: "
            f"{', '.join(known) or 'none'}"
        )
    if name in known:
        return None
    return (
        f"{CONTEXT}: found {name}; allowed: a context in {' or '.join(map(str, files))}, which "
        f"has: {', '.join(known) or 'none'}. {_remedy(name)}"
    )


def _remedy(context: str) -> str:
    """The command that adds a context."""
    if context == LOCAL:
        return 'Start the local cluster and set the shell up: make up; eval "$(make -s env)"'
    gke = _GKE.fullmatch(context)
    project, location, cluster = gke.groups() if gke else ("PROJECT", "LOCATION", "CLUSTER")
    return (
        f"Add it: gcloud container clusters get-credentials {cluster} --location {location} "
        f"--project {project}"
    )


def _files(environ: Mapping[str, str]) -> list[Path]:
    """The kubeconfig files, by kubectl's rule."""
    listed = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return listed or [Path("~/.kube/config").expanduser()]


def _contexts(file: Path) -> list[str]:
    """Names of a file's contexts; none of a file that is missing or no kubeconfig."""
    try:
        found = yaml.safe_load(file.read_text())
        return [str(each["name"]) for each in found["contexts"] or ()]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return []
