"""The program's own manifests, as their golden files have them, are read for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from review.serving import Service, read_service

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.yaml"))


def _service(path: Path) -> Service:
    documents = yaml.safe_load_all(path.read_text())
    manifest = next(each for each in documents if each["kind"] == "InferenceService")
    return read_service(manifest["metadata"]["name"], manifest)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_manifest_is_read_as_its_name_says(path: Path) -> None:
    service = _service(path)
    switches = (service.device, service.protocol, service.placement, service.mode or "")
    assert "-".join(switches).lower() == path.stem


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_manifest_tells_its_release_and_pods(path: Path) -> None:
    service = _service(path)
    assert service.release == "b9839067939a"
    assert all(part.cpu and part.memory and part.maximum for part in service.parts)
