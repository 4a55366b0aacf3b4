"""Which container loads which release, and what the message for another one says."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from infra.config.containers import AOTI_BATCHING, LIBTORCH, ONNX, check_compatibility
from tests.release import examples

if TYPE_CHECKING:
    from release.schema import Release


def exported_by(torch: str) -> Release:
    return examples.image(torch=torch)


def onnx(opset: int, ir: int) -> Release:
    return examples.texts(opset=opset, ir=ir)


def aoti(**changed: object) -> Release:
    return examples.tensors(format="aoti", **changed)


def test_a_container_loads_what_an_older_torch_exported() -> None:
    assert check_compatibility(exported_by("2.12.1"), "26.05-py3") is None
    assert check_compatibility(exported_by("2.9.0"), "25.11-py3") is None
    assert "unknown libtorch" in str(check_compatibility(exported_by("2.5.0"), "23.05-py3"))


@pytest.mark.parametrize(
    ("opset", "ir", "container", "mend"),
    [
        (21, 10, "25.03-py3", None),
        (22, 10, "25.03-py3", "25.05-py3"),
        (18, 11, "25.05-py3", "25.10-py3"),
        (18, 10, "24.12-py3", "25.03-py3"),
        (26, 13, "26.05-py3", "26.07-py3"),
    ],
)
def test_opset_and_ir_are_those_of_the_containers_onnx_runtime(
    opset: int, ir: int, container: str, mend: str | None
) -> None:
    message = check_compatibility(onnx(opset, ir), container)
    assert (message is None) == (mend is None)
    if message:
        assert f"opset {opset} and IR {ir}" in message
        assert message.endswith(f"set triton.container to {mend} or newer")


def test_what_no_container_loads_has_another_remedy() -> None:
    message = str(check_compatibility(onnx(99, 10), "26.07-py3"))
    assert message.endswith("build it for an older one: no container known has it")
    assert "no container known" in str(check_compatibility(exported_by("9.0"), "26.07-py3"))


def test_aoti_needs_a_backend_with_it_and_for_batches_a_newer_one() -> None:
    assert check_compatibility(aoti(), f"{AOTI_BATCHING}-py3") is None
    message = str(check_compatibility(aoti(), "26.05-py3"))
    assert "batch dimension" in message and "26.06-py3" in message
    outputs = tuple(examples.Tensor(f"OUTPUT__{n}", "FP32", (3,)) for n in range(3))
    whole = aoti(batching=False, outputs=outputs)
    assert check_compatibility(whole, "26.05-py3") is None
    assert "26.03-py3" in str(check_compatibility(whole, "26.02-py3"))


def test_the_exported_program_needs_its_torch_too() -> None:
    assert "torch 9.0" in str(check_compatibility(aoti(torch="9.0"), "26.07-py3"))


@pytest.mark.parametrize("table", [LIBTORCH, ONNX])
def test_a_newer_container_never_carries_less(table: dict[str, tuple[int, int]]) -> None:
    assert list(table) == sorted(table)
    carried = list(table.values())
    assert all(
        old[0] <= new[0] and (table is LIBTORCH or old[1] <= new[1])
        for old, new in itertools.pairwise(carried)
    )
