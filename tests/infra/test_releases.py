"""Lock and build, and what each disagreement tells to run."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from infra.config import ModelSettings, Promotion, Triton
from infra.config.model import Canary
from infra.releases import ReleasesError, load
from release import lock
from release.schema import short
from tests.infra.projects import TEST_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from infra.manifests.artefact import Artefact
    from infra.releases import Releases

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


REQUIRES = Promotion(requires="dev")


def promoted(root: Path, promotion: Promotion = REQUIRES) -> Releases:
    return load({"digits": ModelSettings()}, root, promotion)


def test_production_refuses_a_model_of_which_nothing_has_passed_in_dev(root: Path) -> None:
    with pytest.raises(ReleasesError, match=r"has not passed dev's load test.*found none"):
        promoted(root)
    prove(root, "fail")
    with pytest.raises(ReleasesError, match="found fail"):
        promoted(root)


def test_production_serves_the_newest_release_that_has_passed_in_dev(root: Path) -> None:
    current = loaded(root).digest
    prove(root, "pass", number=1)
    found = promoted(root)
    assert found.stable["digits"].digest == EARLIER
    (waiting,) = found.waiting
    assert f"models.digits: release {short(EARLIER)} is served" in waiting
    assert f"{short(current)} waits for its pass (found none)" in waiting
    assert "pulumi stack export --stack dev | python -m model prove --stack dev" in waiting
    prove(root, "pass")
    found = promoted(root)
    assert (found.stable["digits"].digest, found.waiting) == (current, ())


def test_a_release_that_is_named_is_that_one_or_refused(root: Path) -> None:
    prove(root, "pass")
    named = {"digits": ModelSettings(release=short(EARLIER))}
    with pytest.raises(ReleasesError, match=f"release {short(EARLIER)} has not passed dev's"):
        load(named, root, REQUIRES)
    prove(root, "pass", number=1)
    found = load(named, root, REQUIRES)
    assert (found.stable["digits"].digest, found.waiting) == (EARLIER, ())


def test_a_canary_must_have_passed_too(root: Path) -> None:
    prove(root, "pass", number=1)
    canary = Canary(release=short(loaded(root).digest), traffic_percent=0)
    models = {"digits": ModelSettings(release=short(EARLIER), canary=canary)}
    with pytest.raises(ReleasesError, match=f"release {canary.release} has not passed dev's"):
        load(models, root, REQUIRES)
    prove(root, "pass")
    assert load(models, root, REQUIRES).canary["digits"].digest == loaded(root).digest


def test_unless_somebody_says_why(root: Path) -> None:
    overridden = Promotion(requires="dev", override="dev's cluster is down")
    prove(root, "pass", number=1)
    assert promoted(root, overridden).stable["digits"].digest == loaded(root).digest


def prove(root: Path, verdict: str, number: int = 0) -> None:
    change_lock(root, number, proven={"dev": {"verdict": verdict}})


def change_lock(root: Path, number: int = 0, **changes: Any) -> None:
    path = root / "models.lock.json"
    raw = json.loads(path.read_text())
    raw["models"]["digits"][number] |= changes
    path.write_text(json.dumps(raw))
