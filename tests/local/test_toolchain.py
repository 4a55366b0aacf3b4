"""Finding and building programs, with scripts in place of Go and its programs."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from local import building, toolchain
from local.catalogue import TOOLS, Patch
from local.errors import LocalError
from local.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# As if its authors published nothing, so that it is built.
_ETCD = dataclasses.replace(next(each for each in TOOLS if each.name == "etcd"), release=None)
_PULUMI = next(each for each in TOOLS if each.name == "pulumi")
_FAKE_GO = """\
#!/bin/sh
case "$1" in
  env) echo go1.26.0 ;;
  mod) echo '{{"Dir": "{source}"}}' ;;
  build)
    while [ "$1" != -o ]; do shift; done
    {build}
    printf '#!/bin/sh\\necho built\\n' > "$2" && chmod +x "$2" ;;
esac
"""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and none of this machine's programs on PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    toolchain.tool.cache_clear()
    toolchain.go.cache_clear()
    toolchain.module.cache_clear()


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def _program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def _fake_go(folder: Path, build: str = ":", source: Path = ROOT) -> None:
    _program(folder, "go", _FAKE_GO.format(build=build, source=source))


def test_every_tool_is_pinned_with_checksums() -> None:
    for each in TOOLS:
        assert toolchain.version_of(each).startswith("v")
        sums = (ROOT / each.folder / "go.sum").read_text()
        modules = {line.split()[0] for line in sums.splitlines()}
        if not each.package.startswith("./"):
            assert any(each.package.startswith(module) for module in modules)
        if "/" in each.versioned_by:
            assert f"{each.versioned_by} {toolchain.version_of(each)} h1:" in sums


def test_the_kubernetes_plugin_has_the_release_of_the_sdk() -> None:
    (plugin,) = (each for each in TOOLS if each.name == "pulumi-resource-kubernetes")
    locked = (ROOT / "requirements" / "program.txt").read_text()
    assert f"pulumi-kubernetes=={toolchain.version_of(plugin).removeprefix('v')} " in locked
    assert "version.Version=v" not in " ".join(toolchain.build_flags(plugin))


def test_the_kubernetes_plugin_is_not_replaced_by_a_file_of_this_project() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*pulumi-resource-*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert tracked.stdout.split() == ["local/plugins/pulumi-resource-gcp"]


def test_kubernetes_programs_are_built_with_their_version() -> None:
    flags = " ".join(toolchain.build_flags(TOOLS[0]))
    assert "version.gitVersion=v1.34.4" in flags and "gitMinor=34" in flags
    assert "-mod=readonly" in flags and "-trimpath" in flags


def test_a_program_is_built_once_and_then_found(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _fake_go(programs)
    building.build_missing((_ETCD,))
    assert ": built in" in capsys.readouterr().out
    assert toolchain.tool("etcd") == toolchain.cached(_ETCD)
    (programs / "go").unlink()
    building.build_missing((_ETCD,))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("version", "fits"),
    [("v3.259.0", True), ("v3.300.1", True), ("v3.258.0", False), ("v4.0.0", False), ("?", False)],
)
def test_a_program_on_path_is_used_if_its_version_fits(
    programs: Path, version: str, fits: bool
) -> None:
    own = _program(programs, "pulumi", f"#!/bin/sh\necho {version}\n")
    assert toolchain.on_path(_PULUMI) == (own if fits else None)


def test_another_recipe_has_another_path() -> None:
    patched = dataclasses.replace(_ETCD, patches=(Patch("m", "p", "a", "b"),))
    assert toolchain.cached(patched) != toolchain.cached(_ETCD)


def test_an_error_has_the_output_of_go_and_leaves_nothing(programs: Path) -> None:
    _fake_go(programs, build="echo 'main.go:1: undefined: x' >&2; exit 1")
    with pytest.raises(LocalError, match="undefined: x"):
        building.build_missing((_ETCD,))
    assert _left() == []


def test_an_interrupted_build_leaves_nothing(programs: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    _fake_go(programs, build=f'echo half > "$2"; touch {started}; exec sleep 60')
    process = _build_etcd_elsewhere()
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait() != 0
    assert _left() == []


def test_the_next_build_removes_what_a_killed_one_left(programs: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    _fake_go(programs, build=f'echo half > "$2"; touch {started}; exec sleep 60')
    process = _build_etcd_elsewhere()
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert _left() != []
    _fake_go(programs)
    building.build_missing((_ETCD,))
    assert _left() == [toolchain.cached(_ETCD).parent]


def test_a_patch_that_no_longer_fits_is_an_error(programs: Path, tmp_path: Path) -> None:
    source = tmp_path / "module"
    source.mkdir()
    (source / "go.mod").write_text("module m\n")
    (source / "main.go").write_text("package main\n")
    _fake_go(programs, source=source)
    path = "go.etcd.io/etcd/server/v3"
    patch = Patch(path, "main.go", "listen(everywhere)", "listen(loopback)")
    with pytest.raises(LocalError, match="listen\\(everywhere\\)"):
        building.build_missing((dataclasses.replace(_ETCD, name="patched", patches=(patch,)),))


def test_without_go_the_message_has_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LocalError, match="install Go"):
        building.build_missing((_ETCD,))


def _build_etcd_elsewhere() -> subprocess.Popen[bytes]:
    program = """
        import dataclasses
        from local import building
        from local.catalogue import TOOLS
        etcd = next(each for each in TOOLS if each.name == "etcd")
        building.build_missing((dataclasses.replace(etcd, release=None),))
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT)


def _left() -> list[Path]:
    return [path for path in toolchain.cache().iterdir() if path.is_dir()]
