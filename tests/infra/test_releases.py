"""Lock and build, and what each disagreement tells to run."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from infra.config import ModelSettings, Promotion, Triton
from infra.releases import ReleasesError, load
from release import lock
from release.schema import short
from tests.infra.projects import TEST_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from infra.manifests.artefact import Artefact

EARLIER = lock.read(TEST_ROOT / "models.lock.json").releases("digits")[1].digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(TEST_ROOT / "build", tmp_path / "build")
    shutil.copy(TEST_ROOT / "models.lock.json", tmp_path)
    return tmp_path


def loaded(root: Path, settings: ModelSettings | None = None) -> Artefact:
    models = {"digits": settings or ModelSettings()}
    return load(models, root, Promotion()).stable["digits"]


def refused(root: Path, settings: ModelSettings | None = None) -> str:
    with pytest.raises(ReleasesError) as caught:
        load({"digits": settings or ModelSettings()}, root, Promotion())
    return str(caught.value)


def test_lock_without_build(root: Path) -> None:
    shutil.rmtree(root / "build")
    assert "python -m model build digits" in refused(root)


def test_build_without_lock(root: Path) -> None:
    (root / "models.lock.json").unlink()
    message = "models.lock.json has no release of digits; run: python -m model build digits --pin"
    assert message in refused(root)


def test_digests_that_differ(root: Path) -> None:
    change_lock(root, digest="1" * 64)
    assert "models.lock.json pins 1111" in refused(root)


@pytest.mark.parametrize("name", ["model.pt", "warmup/INPUT__0"])
def test_a_tampered_file_never_reaches_a_bucket(root: Path, name: str) -> None:
    path = root / "build" / "digits" / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert f"digits/{name}: SHA-256" in refused(root)


def test_a_lock_that_cannot_be_read(root: Path) -> None:
    (root / "models.lock.json").write_text("{")
    assert "git checkout" in refused(root)


def test_a_torch_newer_than_the_containers(root: Path) -> None:
    message = refused(root, ModelSettings(triton=Triton(container="25.03-py3")))
    assert "torch 2.11.0" in message
    assert "libtorch 2.7" in message
    assert "26.02-py3" in message


def test_version_follows_content_and_config_alone(root: Path) -> None:
    first = loaded(root).version
    assert loaded(root).version == first
    assert loaded(root, ModelSettings(triton=Triton(instances=2))).version != first


def test_going_back_is_naming_an_earlier_release(root: Path) -> None:
    assert loaded(root, ModelSettings(release=short(EARLIER))).digest == EARLIER
    assert loaded(root).digest != EARLIER


def test_a_release_that_the_lock_does_not_know_is_refused_with_those_that_it_knows(
    root: Path,
) -> None:
    text = refused(root, ModelSettings(release="0" * 12))
    allowed = f"{short(loaded(root).digest)}, {short(EARLIER)}"
    assert f"allowed: one in models.lock.json, {allowed}" in text


def test_an_earlier_release_that_is_not_here_is_to_be_pulled(root: Path) -> None:
    shutil.rmtree(root / "build" / "releases")
    assert f"python -m model pull digits --release {short(EARLIER)} --from URL" in refused(
        root, ModelSettings(release=EARLIER)
    )


def promoted(root: Path, promotion: Promotion) -> Artefact:
    return load({"digits": ModelSettings()}, root, promotion).stable["digits"]


def test_production_refuses_what_dev_has_not_passed(root: Path) -> None:
    wanted = Promotion(requires="dev")
    with pytest.raises(ReleasesError, match=r"has no pass from dev's load test .*found none"):
        promoted(root, wanted)
    prove(root, "fail")
    with pytest.raises(ReleasesError, match="found fail"):
        promoted(root, wanted)
    prove(root, "pass")
    assert promoted(root, wanted).name == "digits"


def test_unless_somebody_says_why(root: Path) -> None:
    assert promoted(root, Promotion(requires="dev", override="dev's cluster is down")).name


def prove(root: Path, verdict: str) -> None:
    change_lock(root, proven={"dev": {"verdict": verdict}})


def change_lock(root: Path, **changes: Any) -> None:
    path = root / "models.lock.json"
    raw = json.loads(path.read_text())
    raw["models"]["digits"][0] |= changes
    path.write_text(json.dumps(raw))
