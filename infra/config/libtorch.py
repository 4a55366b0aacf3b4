"""The libtorch version of each Triton container.

Source: NVIDIA's release notes of the Triton container, and its framework support matrix, 2026.
"""

from __future__ import annotations

# First container of each libtorch; the ones between carry the same.
LIBTORCH = {
    "24.10": (2, 5),
    "25.01": (2, 6),
    "25.03": (2, 7),
    "25.05": (2, 8),
    "25.10": (2, 9),
    "25.12": (2, 10),
    "26.02": (2, 11),
    "26.04": (2, 12),
}


def libtorch(container: str) -> tuple[int, int] | None:
    """libtorch (major, minor) of a tag such as `26.05-py3`; None: older than the table."""
    older = [first for first in LIBTORCH if first <= container[:5]]
    return LIBTORCH[max(older)] if older else None


def oldest_container(torch: tuple[int, int]) -> str | None:
    """The oldest tag that loads what this torch exported; None: no container known does."""
    fitting = [first for first, has in LIBTORCH.items() if has >= torch]
    return f"{min(fitting)}-py3" if fitting else None


def check_compatibility(torch: str, container: str) -> str | None:
    """Why the container can't load a model exported by this torch; None: it can."""
    exported = torch_version(torch)
    carried = libtorch(container)
    if carried is not None and exported <= carried:
        return None
    has = "an unknown libtorch" if carried is None else f"libtorch {carried[0]}.{carried[1]}"
    fits = oldest_container(exported)
    mend = f"set triton.container to {fits} or newer" if fits else "export with an older torch"
    return f"exported by torch {torch}, but Triton {container} carries {has}; {mend}"


def torch_version(text: str) -> tuple[int, int]:
    """(major, minor) of a version such as `2.12.1+cpu`."""
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
