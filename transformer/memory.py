"""What the process does with memory that is free again."""

from __future__ import annotations

import ctypes

__all__ = ["return_freed_memory"]

# Parameters of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Large bodies and pictures take more at once. To map what most requests take would cost them time.
OWN_MAPPING_BYTES = 4 * 2**20
KEPT_BYTES = 8 * 2**20


def return_freed_memory() -> None:
    """Give large blocks back to the system as soon as they are freed.

    glibc's own threshold rises to 32 MiB with the first large block that is freed. From then on
    bodies and Pillow's blocks of 16 MiB come from heaps, which have holes and stay large.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
