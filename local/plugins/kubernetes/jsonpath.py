"""The part of Kubernetes' JSONPath that `pulumi.com/waitFor` needs.

`{.status.phase}=Running`, `{.spec.containers[0].image}`, `{.items[*].name}`,
`{.status.conditions[?(@.type=="Ready")].status}=True`, `{.data['odd.key']}`; without a value it
is enough that there is something.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(
    r"""\.(?P<key>[A-Za-z0-9_-]+)
    | \[(?P<index>\d+)\]
    | (?P<all>\[\*\]|\.\*)
    | \['(?P<quoted>[^']+)'\]
    | \[\?\(\s*@\.(?P<field>[A-Za-z0-9_.-]+)\s*==\s*(?P<mark>["'])(?P<value>.*?)(?P=mark)\s*\)\]""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class JsonPath:
    """A parsed expression."""

    text: str
    steps: tuple[re.Match[str], ...]
    expected: str | None

    def missing(self, found: Any) -> str | None:
        """None if the object matches, else what it has there."""
        values = [found]
        for step in self.steps:
            values = [item for value in values for item in _follow(step, value)]
        if self.expected is None:
            return None if values else "nothing there"
        texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
        if texts and all(text == self.expected for text in texts):
            return None
        return f"found {', '.join(texts)}" if texts else "nothing there"


def parse(text: str) -> JsonPath:
    """Parse `jsonpath={PATH}` or `jsonpath={PATH}=VALUE`; raises ValueError."""
    match = re.fullmatch(r"jsonpath=\{(?P<path>.+?)\}(?:=(?P<value>.*))?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not jsonpath={{PATH}} or jsonpath={{PATH}}=VALUE")
    path = match["path"].strip().removeprefix("$")
    steps: list[re.Match[str]] = []
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f"{text!r}: {path[position:]!r} is not understood")
        steps.append(step)
        position = step.end()
    return JsonPath(text, tuple(steps), match["value"])


def _follow(step: re.Match[str], value: Any) -> list[Any]:
    key = step["key"] or step["quoted"]
    if key is not None:
        return [value[key]] if isinstance(value, dict) and key in value else []
    if isinstance(value, dict):
        return list(value.values()) if step["all"] else []
    if not isinstance(value, list):
        return []
    if step["index"] is not None:
        return value[int(step["index"]) :][:1]
    if step["all"]:
        return value
    return [item for item in value if _field(item, step["field"]) == step["value"]]


def _field(item: Any, path: str) -> Any:
    for key in path.split("."):
        item = item.get(key) if isinstance(item, dict) else None
    return item
