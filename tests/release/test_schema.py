"""release.json: what is read and written, and which message a wrong one gets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from release import files
from release.schema import MAX_RELEASE_BYTES, Release, ReleaseError, digest
from tests.release.examples import DIGITS, RELEASE_JSON

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda raw: raw.pop("name"), "name: missing"),
    (lambda raw: raw.update(schema=2), "schema: found 2; allowed: 1"),
    (lambda raw: raw.update(colour="red"), "colour: no such field; allowed: schema, name, "),
    (lambda raw: raw.update(name="Digits"), "model name 'Digits'; allowed: 1 to 48 of a-z"),
    (lambda raw: raw.update(name=7), "name: found 7; allowed: a string"),
    (lambda raw: raw.update(accuracy=1.5), "accuracy 1.5; allowed: 0 to 1"),
    (lambda raw: raw.update(accuracy=float("nan")), "accuracy: found nan; allowed: a number"),
    (lambda raw: raw.update(held_out=True), "held_out: found True; allowed: an integer"),
    (lambda raw: raw.update(labels="0123"), "labels: found '0123'; allowed: a list"),
    (lambda raw: raw.update(labels=["a\nb"]), "labels: a line break in a label"),
    (lambda raw: raw.update(outputs=[]), "one input and one output at least"),
    (lambda raw: raw["inputs"][0].update(dtype="FP8"), "tensor INPUT__0: dtype 'FP8'; allowed: "),
    (lambda raw: raw["inputs"][0].update(name="x"), "tensor name 'x'; allowed: NAME__INDEX"),
    (lambda raw: raw["inputs"][0].update(dims=[0]), "tensor INPUT__0: dims [0]; allowed: "),
    (lambda raw: raw["model"].update(sha256="0"), "sha256 '0'; allowed: 64 hexadecimal digits"),
    (lambda raw: raw["warmup"].update({"../x": "0"}), "warmup: found '../x'; allowed: names of"),
    (lambda raw: raw["preprocessing"].update(mean=[0.5]), "preprocessing.mean: found [0.5]; "),
    (lambda raw: raw["preprocessing"].update(std=[0, 1, 1]), "std positive"),
    (lambda raw: raw["preprocessing"].update(width=0), "preprocessing: 0×32; allowed: 1 or more"),
    (
        lambda raw: raw["samples"][1]["outputs"][0].__setitem__(2, "1"),
        "samples[1].outputs[0][2]: found '1'; allowed: a number",
    ),
]


def test_a_release_reads_back_as_the_same_bytes() -> None:
    text = RELEASE_JSON.read_bytes()
    release = Release.from_json(text)
    assert release.to_json() == text
    assert release.digest == digest(text)


def test_an_integer_where_a_float_is_allowed_leaves_the_digest_as_it_was() -> None:
    whole = replace(DIGITS, preprocessing=replace(DIGITS.preprocessing, mean=(0, 0, 0)))
    assert Release.from_json(whole.to_json()).digest == whole.digest


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_field_is_named_with_what_is_allowed(
    tmp_path: Path, change: Callable[[Any], Any], message: str
) -> None:
    raw = json.loads(RELEASE_JSON.read_bytes())
    change(raw)
    path = tmp_path / "release.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(ReleaseError) as error:
        files.read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "build it again: python -m model build" in str(error.value)


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"{}", b"[" * 100_000])
def test_a_file_that_is_no_release_is_refused(text: bytes) -> None:
    with pytest.raises(ReleaseError, match="build it again"):
        Release.from_json(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"none\.json: No such file or directory"):
        files.read(tmp_path / "none.json")


def test_a_release_that_no_config_map_holds_is_not_written() -> None:
    large = replace(DIGITS.samples[0], image="A" * MAX_RELEASE_BYTES)
    with pytest.raises(ReleaseError, match="give fewer or smaller samples"):
        replace(DIGITS, samples=(large,)).to_json()
