"""Wrong values of a stack's file, each as one line for the person at the terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release.stacks import PROJECT

if TYPE_CHECKING:
    from pydantic import ValidationError

MISSING = object()
# Pydantic's error types, in the words of a stack's file.
_KINDS = {
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
}


class ConfigError(Exception):
    """The stack's configuration is wrong; the message names every key."""


@dataclass(frozen=True)
class Problem:
    """A wrong value: its key as written in the stack's file, what was found, what is allowed.

    `found` is a JSON value, MISSING, or with `formatted` a text for the message as it is.
    """

    key: str
    found: Any
    allowed: str
    formatted: bool = False

    def __str__(self) -> str:
        if self.found is MISSING:
            return f"{self.key}: missing; {self.allowed}"
        text = self.found if self.formatted else json.dumps(self.found, ensure_ascii=False)
        return (
            f"{self.key}: found {text[:117] + '...' if len(text) > 120 else text}; {self.allowed}"
        )


def report(problems: list[Problem]) -> str:
    """All problems as one message, each once."""
    lines = sorted({str(problem) for problem in problems})
    values = "value" if len(lines) == 1 else "values"
    return "\n".join(
        [
            f"{len(lines)} wrong {values} in this stack's configuration; nothing was changed:",
            *(f"  {PROJECT}:{line}" for line in lines),
            "Change one: `pulumi config set --path 'KEY' VALUE`, with `--type string` for a text "
            "that looks like another value, or in the file Pulumi.STACK.yaml.",
        ]
    )


def from_validation(
    error: ValidationError, values: Any, own: Any = None, prefix: str = ""
) -> list[Problem]:
    """The problems in pydantic's error about `values`.

    A key that is in `own`, the part that a model overrides, gets the prefix of that model.
    """
    problems = []
    for item in error.errors():
        path = [str(part) for part in item["loc"]]
        lines = item["msg"].removeprefix("Value error, ").split("\n")
        if item["type"] == "value_error" and ": found " in lines[0]:
            problems += [_from_rule(line, path, own, prefix) for line in lines]
        else:
            found = _value_at(values, path)
            problems.append(Problem(_key(path, own, prefix), found, allowed(item)))
    return problems


def allowed(item: Any) -> str:
    """What one of pydantic's errors allows."""
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return "unknown key; docs/configuration.md lists the keys"
    if item["type"] == "missing":
        return f"set it: pulumi config set --path {'.'.join(map(str, item['loc']))} VALUE"
    if item["type"] in _KINDS:
        return f"allowed: {_KINDS[item['type']]}"
    return (
        message if message.startswith("allowed") else f"allowed: {message[0].lower()}{message[1:]}"
    )


def _from_rule(line: str, path: list[str], own: Any, prefix: str) -> Problem:
    """A rule over several keys names each of them: `key: found x; allowed: y`."""
    inner, _, rest = line.partition(": found ")
    found, _, remedy = rest.partition("; ")
    return Problem(_key([*path, *inner.split(".")], own, prefix), found, remedy, formatted=True)


def _key(path: list[str], own: Any, prefix: str) -> str:
    """A path as the user wrote it: under the model that overrides it, or the stack's."""
    return (prefix if _value_at(own, path) is not MISSING else "") + ".".join(path)


def _value_at(values: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(values, dict) and part in values:
            values = values[part]
        elif isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        else:
            return MISSING
    return values
