"""Settings of Knative that a stack declares, as plain dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.manifests.names import KNATIVE_NAMESPACE, Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config import KnativeSettings

CONFIG, FEATURES = "config-deployment", "config-features"
OPERATOR = ("operator.knative.dev/v1beta1", "KnativeServing", "knative-serving")
# Registries that Knative skips where the key is absent; setting the key replaces them.
DEFAULTS = ("kind.local", "ko.local", "dev.local")


def deployment(knative: KnativeSettings) -> dict[str, str]:
    """The keys of `config-deployment`.

    Knative still reads their older, camelCase names, and prefers the newer ones. Declaring both
    makes the API server refuse a value that somebody else has set under either name; with the newer
    name alone it would lose its effect in silence.
    """
    registries = ",".join(dict.fromkeys([*DEFAULTS, *knative.registries]))
    return {
        "registries-skipping-tag-resolving": registries,
        "registriesSkippingTagResolving": registries,
        "progress-deadline": knative.progress_deadline,
        "progressDeadline": knative.progress_deadline,
    }


def config_maps(
    knative: KnativeSettings, features: Mapping[str, str], stack: str
) -> list[Manifest]:
    """ConfigMaps with the keys that a stack declares; `features` are keys of `config-features`."""
    wanted = {CONFIG: deployment(knative)} | ({FEATURES: dict(features)} if features else {})
    return [{"metadata": _metadata(name, stack), "data": data} for name, data in wanted.items()]


def knative_serving(knative: KnativeSettings, features: Mapping[str, str], stack: str) -> Manifest:
    """The same keys in the resource that Knative's operator follows."""
    config = {"deployment": deployment(knative)} | (
        {"features": dict(features)} if features else {}
    )
    return {"metadata": _metadata(OPERATOR[2], stack), "spec": {"config": config}}


def _metadata(name: str, stack: str) -> Manifest:
    """With an annotation of each stack's own, so that people see which stacks declare the keys."""
    annotations = {f"kserve-triton.dev/{stack}": "declares settings here"}
    return {"name": name, "namespace": KNATIVE_NAMESPACE, "annotations": annotations}
