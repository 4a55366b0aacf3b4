"""What each Triton container carries, and whether that loads a release.

Sources: libtorch by NVIDIA's release notes of the Triton container and its framework support
matrix. ONNX Runtime by `ort_version` in build.py of triton-inference-server/server: 1.20.1 in
25.03, 1.22.0 by pull request 8195, 1.23.1 by 8446, 1.24.1 by 8642, 1.27.0 by 8867. The opsets and
IR versions are the newest that these versions' packages load; ONNX Runtime's documentation has the
same under "Compatibility". AOTInductor by the notes of 26.03; its batching by pull request 198 of
triton-inference-server/pytorch_backend, for 26.06.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release.schema import Release

Version = tuple[int, int]
# First container of each version; the ones between carry the same.
LIBTORCH: Mapping[str, Version] = {
    "24.10": (2, 5),
    "25.01": (2, 6),
    "25.03": (2, 7),
    "25.05": (2, 8),
    "25.10": (2, 9),
    "25.12": (2, 10),
    "26.02": (2, 11),
    "26.04": (2, 12),
}
# Newest opset and IR version that the container's ONNX Runtime loads.
ONNX: Mapping[str, Version] = {
    "25.03": (21, 10),
    "25.05": (22, 10),
    "25.10": (23, 11),
    "26.02": (25, 13),
    "26.07": (26, 13),
}
# First container whose PyTorch backend loads AOTInductor packages, and first that batches them.
AOTI, AOTI_BATCHING = "26.03", "26.06"


@dataclass(frozen=True)
class _Need:
    """What a release needs of a container: by a table, or by the first container itself."""

    what: str
    carried: str
    oldest: str | None

    def problem(self, container: str) -> str | None:
        """Why the container can't load the release; None: it can."""
        if self.oldest is not None and container[:5] >= self.oldest:
            return None
        mend = (
            f"set triton.container to {self.oldest}-py3 or newer"
            if self.oldest
            else "build it for an older one: no container known has it"
        )
        return f"{self.what}, but Triton {container} carries {self.carried}; {mend}"


def check_compatibility(release: Release, container: str) -> str | None:
    """Why a container such as `26.05-py3` can't load a release; None: it can."""
    problems = (need.problem(container) for need in _needs(release, container))
    return next((each for each in problems if each), None)


def _needs(release: Release, container: str) -> list[_Need]:
    if release.format == "onnx":
        return [_onnx(release, container)]
    exported = torch_version(release.torch)
    has = _carried(LIBTORCH, container)
    carried = f"libtorch {has[0]}.{has[1]}" if has else "an unknown libtorch"
    oldest = next((first for first, each in LIBTORCH.items() if each >= exported), None)
    needs = [_Need(f"exported by torch {release.torch}", carried, oldest)]
    if release.format == "aoti":
        first = AOTI_BATCHING if release.batching else AOTI
        what = "format aoti with a batch dimension" if release.batching else "format aoti"
        needs.append(_Need(what, "no backend for it", first))
    return needs


def _onnx(release: Release, container: str) -> _Need:
    wanted = (release.opset or 0, release.ir or 0)
    has = _carried(ONNX, container)
    carried = (
        f"an ONNX Runtime for opset {has[0]} and IR {has[1]}" if has else "an unknown ONNX Runtime"
    )
    fits = (first for first, each in ONNX.items() if each[0] >= wanted[0] and each[1] >= wanted[1])
    return _Need(f"exported for opset {wanted[0]} and IR {wanted[1]}", carried, next(fits, None))


def _carried(table: Mapping[str, Version], container: str) -> Version | None:
    """The version of a tag such as `26.05-py3`; None: older than the table."""
    older = [first for first in table if first <= container[:5]]
    return table[max(older)] if older else None


def torch_version(text: str) -> Version:
    """(major, minor) of a version such as `2.12.1+cpu`."""
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
