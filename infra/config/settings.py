"""A stack's configuration: read once, here, into frozen typed values.

Every wrong value is reported, all of them together, before any resource is touched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pydantic import TypeAdapter, ValidationError

from infra.config import ModelSettings, StackSettings, merged
from infra.config import types as t

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = "kserve-triton"
# Sections that a model may override, the rest of the stack's keys being the stack's alone.
PER_MODEL = frozenset(field.alias or name for name, field in ModelSettings.model_fields.items())
# What only makes sense for one model.
MODEL_ONLY = frozenset({"release", "canary", "storageUri"})
_STACK = frozenset(field.alias or name for name, field in StackSettings.model_fields.items())


class ConfigError(Exception):
    """The stack's configuration is wrong; the message names every key."""


@dataclass(frozen=True)
class Settings:
    """A stack's whole configuration; `models` by name, each with the stack's defaults merged in."""

    stack: StackSettings
    models: Mapping[str, ModelSettings]

    @property
    def readers(self) -> list[str]:
        """Kubernetes service accounts of pods that read models."""
        accounts = {model.predictor.service_account for model in self.models.values()}
        return sorted(account for account in accounts if account)

    @property
    def writers(self) -> list[str]:
        """Kubernetes service accounts of Jobs that add results."""
        return [self.stack.jobs.service_account] if self.stack.jobs.service_account else []

    @property
    def claims(self) -> list[str]:
        """Names in the namespace that no other stack may use: of models, and of accounts made."""
        accounts = [*self.readers, *self.writers] if self.stack.identity.create else []
        return [*self.models, *(f"serviceaccount.{account}" for account in accounts)]

    @classmethod
    def load(cls) -> Settings:
        """Read the running stack's configuration; raises ConfigError with every problem."""
        prefix = f"{PROJECT}:"
        config = pulumi.runtime.config.CONFIG.get()
        return cls.parse(
            {
                key.removeprefix(prefix): decode(value)
                for key, value in config.items()
                if key.startswith(prefix)
            }
        )

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Settings:
        """Typed settings of a stack file's values; raises ConfigError with every problem."""
        problems = [
            Problem(key, raw[key], f"unknown; allowed: {', '.join(sorted(_known()))}")
            for key in raw
            if key not in _known()
        ]
        problems += [
            Problem(key, raw[key], f"allowed: for one model only, as models.NAME.{key}")
            for key in sorted(MODEL_ONLY & set(raw))
        ]
        stack, wrong = _stack(raw)
        models, wrong_models = _models(raw)
        problems += wrong + wrong_models
        if stack is not None:
            problems += _identity_problems(stack, models)
        if problems or stack is None:
            raise ConfigError(report(problems))
        return cls(stack, models)


@dataclass(frozen=True)
class Problem:
    """One wrong value: its key as written in the stack's file, what was found, what is allowed."""

    key: str
    found: Any
    allowed: str

    def __str__(self) -> str:
        if self.found is _MISSING:
            return f"{self.key}: missing; {self.allowed}"
        return f"{self.key}: found {_shown(self.found)}; {self.allowed}"


_MISSING = object()
# What pydantic calls by Python's names, in the words of a stack's file.
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


def decode(value: str) -> Any:
    """Configuration reaches the program as text: JSON for objects, lists, numbers, booleans."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _known() -> frozenset[str]:
    return PER_MODEL | _STACK | {"models"}


def _stack(raw: Mapping[str, Any]) -> tuple[StackSettings | None, list[Problem]]:
    values = {key: value for key, value in raw.items() if key in _STACK}
    try:
        return StackSettings.model_validate(values), []
    except ValidationError as error:
        return None, _problems(error, values, {}, "")


def _models(raw: Mapping[str, Any]) -> tuple[dict[str, ModelSettings], list[Problem]]:
    shared = {key: value for key, value in raw.items() if key in PER_MODEL - MODEL_ONLY}
    overrides = raw.get("models")
    if not isinstance(overrides, dict) or not overrides:
        found = _MISSING if overrides is None else overrides
        how = "allowed: an object of models, at least one, such as {digits: {}}"
        return {}, [Problem("models", found, how)]
    models: dict[str, ModelSettings] = {}
    problems: list[Problem] = []
    for name, own in overrides.items():
        problems += _name_problems(name)
        if not isinstance(own, dict):
            problems.append(Problem(f"models.{name}", own, "allowed: an object; {} for defaults"))
            continue
        try:
            models[name] = ModelSettings.model_validate(merged(shared, own))
        except ValidationError as error:
            problems += _problems(error, merged(shared, own), own, f"models.{name}.")
    return models, problems


def _identity_problems(stack: StackSettings, models: Mapping[str, ModelSettings]) -> list[Problem]:
    """Accounts can only be made for pods whose Kubernetes account has a name."""
    if not stack.identity.create:
        return []
    problems = [
        Problem(
            f"models.{name}.predictor.serviceAccount",
            _MISSING,
            "identity.create makes it; give it a name, such as models",
        )
        for name, model in models.items()
        if model.predictor.service_account is None
    ]
    for name, model in models.items():
        account = model.predictor.service_account
        if account and account == stack.jobs.service_account:
            how = (
                "allowed: another than jobs.serviceAccount. identity.create makes both: one may "
                "only read models, the other only add load test results"
            )
            problems.append(Problem(f"models.{name}.predictor.serviceAccount", account, how))
    if any(model.perf.upload for model in models.values()) and stack.jobs.service_account is None:
        how = "identity.create makes it for perf.upload; give it a name, such as perf"
        problems.append(Problem("jobs.serviceAccount", _MISSING, how))
    return problems


def _name_problems(name: str) -> list[Problem]:
    try:
        TypeAdapter(t.ModelName).validate_python(name)
    except ValidationError as error:
        return [Problem(f"models.{name}", name, _allowed(error.errors()[0]))]
    return []


def _problems(error: ValidationError, values: Any, own: Any, prefix: str) -> list[Problem]:
    """What pydantic found, by the key that the user wrote: the model's own, or the stack's."""
    problems = []
    for item in error.errors():
        path = [str(part) for part in item["loc"]]
        lines = item["msg"].removeprefix("Value error, ").split("\n")
        if item["type"] == "value_error" and ": found " in lines[0]:
            # A rule over several keys names each of them: `key: found x; allowed: y`.
            for line in lines:
                inner, _, rest = line.partition(": found ")
                found, _, allowed = rest.partition("; ")
                key = _key([*path, *inner.split(".")], own, prefix)
                problems.append(Problem(key, _Verbatim(found), allowed))
        else:
            problems.append(Problem(_key(path, own, prefix), _at(values, path), _allowed(item)))
    return problems


def _key(path: list[str], own: Any, prefix: str) -> str:
    """A path as the user wrote it: under the model that overrides it, or the stack's."""
    return (prefix if _at(own, path) is not _MISSING else "") + ".".join(path)


class _Verbatim(str):
    """Already in words."""


def _at(values: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(values, dict) and part in values:
            values = values[part]
        elif isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        else:
            return _MISSING
    return values


def _allowed(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return "unknown key; the README's table has those that there are"
    if item["type"] == "missing":
        return f"set it: pulumi config set --path {'.'.join(map(str, item['loc']))} VALUE"
    if item["type"] in _KINDS:
        return f"allowed: {_KINDS[item['type']]}"
    return (
        message if message.startswith("allowed") else f"allowed: {message[0].lower()}{message[1:]}"
    )


def _shown(found: Any) -> str:
    if isinstance(found, _Verbatim):
        return str(found)
    text = json.dumps(found, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def report(problems: list[Problem]) -> str:
    """All problems as one message for the terminal, each once."""
    lines = sorted({str(problem) for problem in problems})
    return "\n".join(
        [
            f"{len(lines)} wrong in this stack's configuration; nothing was touched:",
            *(f"  {PROJECT}:{line}" for line in lines),
            "Mend one by `pulumi config set --path 'KEY' VALUE`, or in the Pulumi.STACK.yaml file.",
        ]
    )
