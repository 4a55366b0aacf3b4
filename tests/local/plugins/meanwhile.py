"""What a controller would do while a plugin waits."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Do something a moment after the block has begun, as a controller would."""

    def later() -> None:
        time.sleep(0.5)
        act()

    thread = threading.Thread(target=later)
    thread.start()
    yield
    thread.join()
