"""The ends of containers: preStop hooks, SIGTERM in turn, SIGKILL after the grace period.

As the kubelet does it: the hooks of a pod's containers run at the same time, and each container
gets SIGTERM when its own has ended.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.node import probes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.api import Object
    from local.node.container import Container
    from local.node.host import Host
    from local.node.probing import Probing

__all__ = ["Endings"]

# The kubelet's: what a container has between SIGTERM and SIGKILL, however long its hook took.
_LEAST = 2.0
_NEVER = float("inf")


@dataclass
class _Ending:
    container: Container
    key: str
    until: float
    """The end of the grace period."""
    others: Sequence[Container]
    """Those that must have ended before this one gets SIGTERM."""
    hooked: bool
    """Whether its hook has ended."""
    kill_at: float = _NEVER

    @property
    def next_at(self) -> float:
        return self.until if self.kill_at == _NEVER else self.kill_at

    def advance(self) -> None:
        now = time.monotonic()
        if self.kill_at == _NEVER:
            its_turn = self.hooked and not any(each.key for each in self.others)
            if its_turn or now >= self.until:
                self.container.signal(signal.SIGTERM)
                self.kill_at = max(self.until, now + _LEAST)
        elif now >= self.kill_at:
            self.container.signal(signal.SIGKILL)

    def hurry(self, until: float) -> None:
        """Shorten the grace period."""
        self.until = min(self.until, until)
        if self.kill_at != _NEVER:
            self.kill_at = min(self.kill_at, max(until, time.monotonic() + _LEAST))


class Endings:
    """The containers of one pod that are ending.

    `send` gets ("hook", key, message), with an empty message for success.
    """

    def __init__(
        self, host: Host, probing: Probing, send: Callable[[tuple[Any, ...]], None]
    ) -> None:
        self._host, self._probing, self._send = host, probing, send
        self._endings: dict[str, _Ending] = {}

    def begin(
        self, container: Container, seconds: float, address: str, others: Sequence[Container]
    ) -> bool:
        """End a container after others, within a grace period. False if it is ending already.

        `address` is the pod's. The hook doesn't run if there is no time for it.
        """
        until = time.monotonic() + seconds
        if ending := self._endings.get(container.key):
            ending.hurry(until)
            return False
        hook = (container.spec.get("lifecycle") or {}).get("preStop") if seconds > 0 else None
        self._endings[container.key] = _Ending(container, container.key, until, others, not hook)
        if hook:
            arguments = (container, container.key, hook, address, seconds)
            name = f"preStop {container.name}"
            threading.Thread(target=self._run, args=arguments, name=name, daemon=True).start()
        return True

    def note_hook(self, key: str) -> None:
        """A hook has ended."""
        if ending := self._endings.get(key):
            ending.hooked = True

    def advance(self) -> None:
        """Send the signals that are due."""
        for key, ending in list(self._endings.items()):
            if ending.container.key == key:
                ending.advance()
            else:
                del self._endings[key]

    @property
    def next_at(self) -> float:
        """The time of the next signal, if nothing else happens before."""
        return min((each.next_at for each in self._endings.values()), default=_NEVER)

    def _run(
        self, container: Container, key: str, hook: Object, address: str, seconds: float
    ) -> None:
        message = ""
        if "exec" in hook:
            success, message = self._probing.run(container, hook["exec"]["command"], seconds)
            message = "" if success else message
        elif "sleep" in hook:
            time.sleep(min(float(hook["sleep"]["seconds"]), seconds))
        elif "httpGet" in hook:
            get = {**hook["httpGet"], "httpHeaders": _headers(hook["httpGet"])}
            _, message = probes.attempt(
                self._host.sandbox, {"httpGet": get}, container.spec, address, seconds
            )
        else:
            message = f"{', '.join(hook)} is not supported, only exec, httpGet and sleep"
        self._send(("hook", key, message))


def _headers(get: Object) -> list[Object]:
    """Those of the pod, after the kubelet's name for who runs hooks: servers know probes by it."""
    own = {"name": "User-Agent", "value": "kube-lifecycle/1.34"}
    return [own, *(get.get("httpHeaders") or [])]
