"""Running a network so that the same weights give the same answers on every x86-64 machine.

Import it before torch.
"""

from __future__ import annotations

import os
import random
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

# torch and MKL read these when they are imported: the same code path on every processor. Faster
# ones sum in another order, which gives other samples and so another release.
if "torch" not in sys.modules:
    os.environ["ATEN_CPU_CAPABILITY"] = "default"
    os.environ["MKL_CBWR"] = "COMPATIBLE"

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["reproducible", "seed"]


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread, deterministic kernels and a fixed seed; restores torch's settings afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # An operator that has no deterministic kernel is no reason to refuse a network.
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings():
            # Switching one-DNN off and on again causes it.
            warnings.filterwarnings("ignore", message="TF32 acceleration", category=UserWarning)
            with (
                torch.random.fork_rng(devices=[]),
                torch.backends.mkldnn.flags(enabled=False, allow_tf32=False),
            ):
                seed()
                yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)


def seed() -> None:
    """Seed torch, numpy and Python."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
