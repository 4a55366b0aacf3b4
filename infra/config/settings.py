"""A stack's configuration: read once, here, into frozen typed values.

Every wrong value is reported, all of them together, before any resource is touched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from infra.config import ModelSettings, StackSettings, merged
from infra.config import types as t
from infra.config.problems import (
    MISSING,
    ConfigError,
    Problem,
    allowed,
    from_validation,
    report,
)
from release.stacks import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

# Sections that a model may override; the other keys of the stack apply to all models.
PER_MODEL = frozenset(field.alias or name for name, field in ModelSettings.model_fields.items())
# Keys that only one model can have.
MODEL_ONLY = frozenset({"release", "canary", "storageUri", "handler"})
_STACK = frozenset(field.alias or name for name, field in StackSettings.model_fields.items())
# Kubernetes service accounts of a stack with identity.projectNumber, unless its file names others.
_ACCOUNTS = {
    "predictor": {"serviceAccount": "models"},
    "jobs": {"serviceAccount": "perf"},
    "compiler": {"serviceAccount": "compiler"},
}
_ONE_PURPOSE = (
    "allowed: another than {}. With identity.projectNumber one may only read models, another only "
    "add load test results, a third only compile models"
)
_KEYS = PER_MODEL | _STACK | {"models"}


@dataclass(frozen=True)
class Settings:
    """A stack's whole configuration; `models` by name, each with the stack's defaults merged in."""

    stack: StackSettings
    models: Mapping[str, ModelSettings]

    @classmethod
    def from_config(cls, config: Mapping[str, str]) -> Settings:
        """From the configuration that Pulumi gives a program; raises ConfigError."""
        prefix = f"{PROJECT}:"
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
        raw = _with_accounts(raw)
        problems = [
            Problem(key, raw[key], f"unknown; allowed: {', '.join(sorted(_KEYS))}")
            for key in raw
            if key not in _KEYS
        ]
        problems += [
            Problem(key, raw[key], f"allowed: for one model only, as models.NAME.{key}")
            for key in sorted(MODEL_ONLY & set(raw))
        ]
        stack, wrong = _stack(raw)
        models, wrong_models = _models(raw)
        problems += wrong + wrong_models
        if stack is not None:
            problems += _host_problems(stack.namespace, models)
            problems += _identity_problems(stack, models)
        if problems or stack is None:
            raise ConfigError(report(problems))
        return cls(stack, models)


def decode(value: str) -> Any:
    """Configuration reaches the program as text: JSON for objects, lists, numbers, booleans."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _with_accounts(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    identity = raw.get("identity")
    if not isinstance(identity, dict) or identity.get("projectNumber") is None:
        return raw
    with_accounts: dict[str, Any] = merged(_ACCOUNTS, raw)
    return with_accounts


def _stack(raw: Mapping[str, Any]) -> tuple[StackSettings | None, list[Problem]]:
    values = {key: value for key, value in raw.items() if key in _STACK}
    try:
        return StackSettings.model_validate(values), []
    except ValidationError as error:
        return None, from_validation(error, values)


def _models(raw: Mapping[str, Any]) -> tuple[dict[str, ModelSettings], list[Problem]]:
    shared = {key: value for key, value in raw.items() if key in PER_MODEL - MODEL_ONLY}
    overrides = raw.get("models")
    if not isinstance(overrides, dict) or not overrides:
        found = MISSING if overrides is None else overrides
        how = "allowed: an object of models, at least one, such as {digits: {}}"
        return {}, [Problem("models", found, how)]
    models: dict[str, ModelSettings] = {}
    problems: list[Problem] = []
    for name, own in overrides.items():
        problems += _name_problems(name)
        if not isinstance(own, dict):
            problems.append(Problem(f"models.{name}", own, "allowed: an object; {} for defaults"))
            continue
        values = merged(shared, own)
        try:
            models[name] = ModelSettings.model_validate(values)
        except ValidationError as error:
            problems += from_validation(error, values, own, f"models.{name}.")
    return models, problems


def _name_problems(name: str) -> list[Problem]:
    try:
        TypeAdapter(t.ModelName).validate_python(name)
    except ValidationError as error:
        return [Problem(f"models.{name}", name, allowed(error.errors()[0]))]
    return []


def _host_problems(namespace: str, models: Mapping[str, ModelSettings]) -> list[Problem]:
    """Models whose hosts in mode Standard begin with a label that is too long.

    KServe 0.20 makes a host of each component's name, and no Deployment where it can't: see
    createRawURL in raw_kube_reconciler.go.
    """
    most = t.LABEL_LENGTH - len("-canary-predictor-")
    how = (
        f"allowed: {most} characters together with the namespace, {namespace}, in mode Standard, "
        "where KServe makes hosts that begin with NAME-canary-predictor-NAMESPACE"
    )
    return [
        Problem(f"models.{name}", name, how)
        for name, model in models.items()
        if model.mode is t.Mode.STANDARD and len(name) + len(namespace) > most
    ]


def _identity_problems(stack: StackSettings, models: Mapping[str, ModelSettings]) -> list[Problem]:
    """With identity.projectNumber each Kubernetes account has one purpose."""
    if not stack.identity.project_number:
        return []
    problems = []
    readers = {model.predictor.service_account for model in models.values()}
    for name, model in models.items():
        account = model.predictor.service_account
        if account and account == stack.jobs.service_account:
            key = f"models.{name}.predictor.serviceAccount"
            problems.append(Problem(key, account, _ONE_PURPOSE.format("jobs.serviceAccount")))
        account = model.compiler.service_account
        if account and account in readers | {stack.jobs.service_account}:
            key = f"models.{name}.compiler.serviceAccount"
            others = "predictor.serviceAccount and jobs.serviceAccount"
            problems.append(Problem(key, account, _ONE_PURPOSE.format(others)))
    return problems
