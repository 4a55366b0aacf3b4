"""Allocation of addresses to pods, and of CPU cores to containers."""

from __future__ import annotations

import os
import threading
from collections import Counter

__all__ = ["GATEWAY", "POD_RANGE", "Addresses", "Cores"]

_PREFIX = "10.244.0."
POD_RANGE = f"{_PREFIX}0/24"
GATEWAY = f"{_PREFIX}1"


class Addresses:
    """Given in turn: clients may still send to an address that has just been released."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: set[int] = set()
        self._last = 1

    def take(self) -> str:
        """A free address. Raises RuntimeError if there is none."""
        with self._lock:
            for step in range(253):
                number = 2 + (self._last - 1 + step) % 253
                if number not in self._used:
                    self._used.add(number)
                    self._last = number
                    return f"{_PREFIX}{number}"
        raise RuntimeError(f"all addresses of {POD_RANGE} are in use")

    def release(self, address: str) -> None:
        with self._lock:
            self._used.discard(int(address.rsplit(".", 1)[1]))


class Cores:
    """CPU limits without cgroups: a container runs on as many cores, the least used ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: Counter[int] = Counter(dict.fromkeys(os.sched_getaffinity(0), 0))

    def take(self, count: int) -> list[int]:
        """The container's cores; empty for a limit of all cores or more."""
        with self._lock:
            if not 0 < count < len(self._users):
                return []
            chosen = sorted(self._users, key=lambda core: (self._users[core], core))[:count]
            self._users.update(chosen)
            return chosen

    def release(self, cores: list[int]) -> None:
        with self._lock:
            self._users.subtract(cores)
