"""Pulumi's protocol without the rest of its SDK.

`import pulumi.runtime.proto` imports all of `pulumi` first, which takes half a second of every
preview; a plugin needs the generated messages only. Bare packages in their parents' place let
them be imported by themselves.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def install() -> None:
    """Put `pulumi` and `pulumi.runtime` in place without running them. For a process of its own."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the pulumi package is not installed in the plugins' environment")
    folder = Path(next(iter(spec.submodule_search_locations)))
    for name, place in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        package = ModuleType(name)
        package.__path__ = [str(place)]
        sys.modules[name] = package
