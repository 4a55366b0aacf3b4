"""The page of the first cloud environment, followed from its first command to its last.

Nothing of it runs here. That no command lacks its input is checked: variables, settings, outputs,
workflows and names are there before they are used.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from bootstrap import permissions
from infra.config import ModelSettings
from infra.config.stack import StackSettings
from tests.docs import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "environments.md"
BLOCKS = [block.code for block in blocks.read(PAGE)]
SHELL = "\n".join(BLOCKS)
# From one to the other its commands are in that folder.
BOOTSTRAP = SHELL[SHELL.index("cd bootstrap") : SHELL.index("cd ..")]
STACK = SHELL[SHELL.index("cd ..") :]
SET = re.compile(r"pulumi config set (?:--path )?['\"]?([\w.:$-]+)")
OUTPUT = re.compile(r"pulumi stack output (\w+)")


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_is_a_shells(code: str) -> None:
    done = subprocess.run(["bash", "-n"], input=code, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_variable_is_set_before_it_is_used() -> None:
    known, unknown = {"HOME"}, []
    for line in _expanded(SHELL).splitlines():
        unknown += [name for name in _used(line) if name not in known | _assigned(line)]
        known |= _assigned(line)
    assert not unknown


def test_the_settings_of_the_bootstrap_exist_and_none_that_it_needs_is_missing() -> None:
    project = yaml.safe_load((ROOT / "bootstrap" / "Pulumi.yaml").read_text())
    named = {re.sub(r"\[.*", "", key) for key in SET.findall(BOOTSTRAP)}
    assert named <= set(project["config"])
    assert {key for key, each in project["config"].items() if "default" not in each} <= named


def test_the_settings_of_the_stack_exist() -> None:
    named = [key for key in SET.findall(STACK) if "$" not in key]
    assert named
    for key in named:
        assert key == "kubernetes:context" or _is_setting(key.split(".")), key


def test_the_outputs_exist() -> None:
    accounts = set(permissions.for_environment("dev"))
    assert set(OUTPUT.findall(BOOTSTRAP)) <= _exported("bootstrap/__main__.py") | accounts
    assert set(OUTPUT.findall(STACK)) <= _exported("__main__.py")


def test_the_workflows_can_be_started_by_hand() -> None:
    named = set(re.findall(r"gh workflow run ([\w-]+)", SHELL))
    assert named
    for name in named:
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
        # YAML reads the key `on` as true.
        assert "workflow_dispatch" in workflow[True]


@pytest.mark.parametrize(
    ("made", "used"),
    [
        (r"clusters create(?:-auto)? (\w+)", r"clusters (?:get-credentials|delete) (\w+)"),
        (r"clusters create(?:-auto)? (\w+)", r"--cluster (\w+)"),
        (r"clusters create(?:-auto)? (\w+)", r"config set cluster (\w+)"),
        (r"managed-zones create (\w+)", r"--zone (\w+)"),
        (r"managed-zones create (\w+)", r"managed-zones (?:describe|delete) (\w+)"),
        (r"accounts create (\w+)", r"[:\" ](\w+)@\$PROJECT\.iam"),
        (r"/environments/([\w-]+)", r"--env ([\w-]+)"),
        (r"stack init (\w+)", r"levels\.py (\w+)"),
        (r"stack init (\w+)", r"make releases .*STACK=(\w+)"),
        (r"-m model build (\w+)", r"-m model push (\w+)"),
        (r"-m model build (\w+)", r"build/(\w+)/release\.json"),
        (r"kind: ClusterIssuer\nmetadata: {name: (\w+)}", r"\\nname: (\w+)\\n"),
        (r"kind: Gateway\nmetadata: {name: ([\w-]+),", r"(?:wait|get) gateway ([\w-]+)"),
    ],
)
def test_what_a_command_names_was_made_before(made: str, used: str) -> None:
    first = {match[1]: match.start() for match in reversed([*re.finditer(made, SHELL)])}
    uses = [*re.finditer(used, SHELL)]
    assert uses
    for use in uses:
        assert use[1] in first, use[0]
        assert first[use[1]] < use.start(), use[0]


def test_the_scripts_and_files_exist() -> None:
    named = re.findall(r"python3 ([\w/]+\.py)", SHELL)
    (added,) = re.findall(r"git add (.*?) &&", SHELL)
    named += [path for path in added.split() if path != "bootstrap/Pulumi.dev.yaml"]
    assert not [path for path in named if not (ROOT / path).exists()]


def test_each_program_is_named_before_it_is_needed() -> None:
    text = PAGE.read_text()
    (needed,) = re.findall(r"## Before you begin\n(.*?)\n```", text, re.DOTALL)
    named = set(re.findall(r"`([\w.-]+)`", needed))
    known = set("cd mkdir rm export for do done sed sleep".split()) | {".venv-model/bin/python"}
    assert {word for word in _commands() if word not in named | known} == set()


def test_no_challenge_of_a_certificate_is_redirected() -> None:
    """Kourier redirects it too: NewRedirectRoute in pkg/generator/ingress_translator.go."""
    assert ("http01" in SHELL) != ("Redirected" in SHELL)


def test_the_versions_are_those_of_the_local_cluster() -> None:
    (kserve,) = set(re.findall(r"kserve/(v[\d.]+)/install/", SHELL))
    assert f"github.com/kserve/kserve {kserve} " in _go_mod("kubernetes")
    # Knative's release 1.N has the Go modules 0.(N + 27).
    for name in ("serving", "net-kourier"):
        (minor,) = set(re.findall(rf"{name}/releases/download/knative-v1\.(\d+)\.", SHELL))
        assert f"knative.dev/{name} v0.{int(minor) + 27}." in _go_mod("knative")
    assert f':{ModelSettings().triton.container}"' in SHELL


def _expanded(text: str) -> str:
    """The text without what a shell does not expand: comments, and what is in single quotes."""
    text = re.sub(r"<<'END'\n.*?\nEND\n", "\n", text, flags=re.DOTALL)
    text = re.sub(r"'[^']*'", "''", re.sub(r"(?m)(?:^|\s)#.*$", "", text))
    return text.replace("\\\n", " ")


def _commands() -> set[str]:
    """The first word of each command."""
    text = re.sub(r"<<END\n.*?\nEND\n", "\n", _expanded(SHELL), flags=re.DOTALL)
    starts = re.split(r"\n|&&|\||;|\$\(", text)
    words = (re.sub(r"^(?:\s*\w+=\S*)+", "", each).split() for each in starts)
    return {each[0] for each in words if each}


def _used(line: str) -> list[str]:
    return re.findall(r"\$\{?([A-Za-z_]\w*)", line)


def _assigned(line: str) -> set[str]:
    """Variables that a line sets. Those of one line are set in their order."""
    return set(re.findall(r"(?:^|\s|;)(\w+)=", line)) | set(re.findall(r"\bfor (\w+) in\b", line))


def _exported(program: str) -> set[str]:
    return set(re.findall(r'pulumi\.export\("(\w+)"', (ROOT / program).read_text()))


def _is_setting(path: list[str]) -> bool:
    """Whether the stack, or all its models together, have a setting at this path."""
    return any(_leads(section, path) for section in (StackSettings, ModelSettings))


def _leads(section: type[BaseModel], path: list[str]) -> bool:
    fields = {field.alias or name: field for name, field in section.model_fields.items()}
    if path[0] not in fields:
        return False
    inner = list(_sections(fields[path[0]].annotation))
    return len(path) == 1 or any(_leads(each, path[1:]) for each in inner)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _sections(each)


def _go_mod(name: str) -> str:
    return (ROOT / "local" / "tools" / name / "go.mod").read_text()
