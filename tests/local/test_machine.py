"""What is looked at before anything is installed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from local import go, machine, toolchain
from local.catalogue import TOOLS
from local.layout import ROOT
from local.node.sandbox import linux, spaces

_SOURCES = [machine, go, spaces, linux]


def test_this_machine_lacks_nothing() -> None:
    """With the standard library alone, since nothing is installed yet."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "local.machine"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", _SOURCES, ids=lambda module: module.__name__)
def test_an_old_python_can_say_that_it_is_too_old(module: object) -> None:
    source = Path(str(getattr(module, "__file__", None))).read_text()
    ast.parse(source, feature_version=(3, 8))
    used = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    local = {name for name in used if name and name.startswith("local")}
    assert local <= {"local", "local.node.sandbox"}


@pytest.mark.parametrize(
    ("system", "processor"), [("Darwin", "arm64"), ("Linux", "aarch64"), ("Windows", "AMD64")]
)
def test_another_system_is_named_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, system: str, processor: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: processor)
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = machine.problems()
    assert f"this is {system} on {processor}" in found
    assert "make .venv/stamp" in found


def test_all_that_is_missing_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    monkeypatch.setattr("sys.version_info", (3, 10, 4))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("local.node.sandbox.spaces.trial", lambda: "[Errno 1] unshare")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 3 * 10**9}))
    monkeypatch.setattr(machine, "_ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert machine.main() == 1
    told = capsys.readouterr().err
    for words in (
        "glibc 2.35 or newer is needed",
        "make up PYTHON=python3.11",
        "apt install python3.10-venv",
        "there is no `go` on PATH",
        "[Errno 1] unshare",
        "3 GB are free",
        "Nothing was installed",
    ):
        assert words in told


def test_what_is_installed_needs_no_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
    monkeypatch.setattr(machine, "_ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert any("GB are free" in each for each in machine.problems())
    (tmp_path / ".venv-model").mkdir()
    (tmp_path / ".venv-model" / "stamp").touch()
    manager = next(each for each in TOOLS if each.name == "kserve-manager")
    toolchain.cached(manager).mkdir(parents=True)
    assert not any("GB are free" in each for each in machine.problems())


@pytest.mark.parametrize(("torch", "told"), [("", "12"), ("cpu", "8")])
def test_torch_without_cuda_needs_less_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, torch: str, told: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
    monkeypatch.setattr(machine, "_ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH", torch)
    (found,) = machine.problems()
    assert f"the first installation needs {told} there" in found


@pytest.mark.parametrize(
    ("version", "toolchain", "told"),
    [
        ("go1.99.0", "local", ""),
        ("go1.22.2", "auto", ""),
        ("go1.22.2", "local", "go env -w GOTOOLCHAIN=auto"),
        ("go1.18.1", "", "is go1.18.1"),
        ("", "", "is broken"),
    ],
)
def test_a_go_that_can_not_build_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, toolchain: str, told: str
) -> None:
    program = tmp_path / "go"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' '{version}' '{toolchain}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (told in go.problem()) if told else go.problem() == ""


_REFUSED = f"""#!{sys.executable}
import sys
sys.path.insert(0, '.')
from local.node.sandbox import linux, spaces
def refuse(path):
    raise OSError(38, 'Function not implemented', f'make {{path}} read-only')
linux.make_read_only = refuse
spaces.main()
"""
_KILLED = "#!/bin/sh\nkill -9 $$\n"


def test_namespaces_can_be_made_here() -> None:
    assert spaces.trial() == ""


@pytest.mark.parametrize(
    ("program", "reason"), [(_REFUSED, "make / read-only"), (_KILLED, "was ended")]
)
def test_namespaces_that_are_refused_are_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, reason: str
) -> None:
    python = tmp_path / "python"
    python.write_text(program)
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    assert reason in spaces.trial()


def test_the_remedy_is_that_of_the_setting_that_forbids(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> str:
        if path.name in readable:
            return "1\n"
        raise PermissionError

    readable = {"apparmor_restrict_unprivileged_userns"}
    monkeypatch.setattr(Path, "read_text", read)
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0;" in spaces.remedy()
    readable.clear()
    assert spaces.remedy().startswith("run as root")
