"""The proxies in this machine's environment: loopback never goes through one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["exceptions", "without"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_EVERYTHING = "*"


def exceptions(environment: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY with loopback added, in both spellings, since programs read one or the other."""
    named = ",".join(environment.get(name, "") for name in ("no_proxy", "NO_PROXY")).split(",")
    hosts = [host.strip() for host in named if host.strip()]
    text = ",".join(dict.fromkeys([*hosts, *_LOOPBACK]))
    # Some programs know it only by itself.
    text = _EVERYTHING if _EVERYTHING in hosts else text
    return {"NO_PROXY": text, "no_proxy": text}


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without proxies, for the cluster's processes.

    They reach nothing outside the machine, and the names of Services are nobody's loopback.
    """
    return {
        name: value for name, value in environment.items() if not name.lower().endswith("_proxy")
    }
