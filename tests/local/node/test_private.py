"""What containers see of the machine's folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.layout import ROOT
from local.node import private
from local.node.sandbox.root import Mount
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from tests.local.node.conftest import Pods

_PLACES = st.sampled_from(["/tmp", "/tmp/a", "/run/b", "/root/.cache", "/mnt/models", "/home/u/c"])


@given(st.lists(_PLACES, unique=True))
def test_the_pods_own_mounts_stay_and_parents_come_first(targets: list[str]) -> None:
    own = [Mount(target, f"/volumes/{number}") for number, target in enumerate(targets)]
    found = private.add(own, Path("/nothing/.local"))
    assert set(own) <= set(found)
    places = [mount.target for mount in found]
    assert len(set(places)) == len(places)
    depths = [len(Path(place).parts) for place in places]
    assert depths == sorted(depths)


def test_what_programs_need_in_a_hidden_folder_is_read_only() -> None:
    found = {mount.target: mount for mount in private.add([], Path("/nothing/.local"))}
    for folder in private.needed():
        if any(outer in folder.parents for outer in private.hidden()):
            assert found[str(folder)] == Mount(str(folder), str(folder), True)


def test_a_home_is_never_shown_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if an interpreter was installed into it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").touch()
    link = tmp_path / "python"
    link.symlink_to("bin/python3")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(link))
    assert list(private.installations(link)) == [tmp_path]
    assert tmp_path not in private.needed()


def test_a_project_that_is_a_home_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(ROOT))
    assert ROOT in private.needed()


def test_environments_that_are_links_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / ".venv-local").symlink_to(tmp_path / "shared")
    monkeypatch.setattr(private, "ROOT", tmp_path / "project")
    assert tmp_path / "shared" in private.needed()


def test_the_installations_of_an_interpreter_are_found_by_its_links(tmp_path: Path) -> None:
    """As uv makes them: an environment's link, to an installation's second name."""
    installed = tmp_path / "python" / "cpython-3.12.1"
    (installed / "bin").mkdir(parents=True)
    (installed / "bin" / "python3.12").touch()
    (tmp_path / "python" / "cpython-3.12").symlink_to("cpython-3.12.1")
    environment = tmp_path / "project" / ".venv" / "bin"
    environment.mkdir(parents=True)
    (environment / "python").symlink_to("python3")
    (environment / "python3").symlink_to(
        tmp_path / "python" / "cpython-3.12" / "bin" / "python3.12"
    )
    found = list(private.installations(environment / "python"))
    assert found == [tmp_path / "project" / ".venv", tmp_path / "python"]


def test_a_container_sees_of_the_home_only_what_it_runs(pods: Pods) -> None:
    home = Path.home().resolve()
    code = f"import json, os; print(json.dumps(os.listdir({str(home)!r})))"
    allowed = {path.relative_to(home).parts[0] for path in private.needed() if home in path.parents}
    if not {path.name for path in home.iterdir()} - allowed:
        pytest.skip("this home has nothing else")
    assert set(pods.output(pods.run(python(code)))) <= allowed


def test_a_container_sees_no_keys_of_a_cluster_and_no_history(pods: Pods) -> None:
    folders = [str(pods.cluster.layout.base), str(ROOT / ".local"), str(ROOT / ".git")]
    code = f"""
import json, os
def names(path):
    return sorted(os.listdir(path)) if os.path.isdir(path) else []
print(json.dumps([name for path in {folders!r} for name in names(path)]))
"""
    assert list(Path(folders[0]).iterdir())
    assert pods.output(pods.run(python(code))) == []


def test_a_container_changes_nothing_of_the_machine_and_makes_no_devices(pods: Pods) -> None:
    code = f"""
import json, os, stat
def attempt(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.strerror
print(json.dumps([
    attempt(open, '/written', 'w'),
    attempt(open, {str(ROOT / "written")!r}, 'w'),
    attempt(open, '/dev/written', 'w'),
    attempt(os.mknod, '/tmp/disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0)),
]))
"""
    found = pods.output(pods.run(python(code)))
    assert found == [*["Read-only file system"] * 3, "Operation not permitted"]
