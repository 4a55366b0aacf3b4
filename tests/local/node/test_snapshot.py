"""The files of a volume: what a program sees while they are replaced."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from local.node.snapshot import replace

_NAMES = st.sampled_from(["a", "b", "in/c", "in/deeper/d", "other/e", ".hidden"])
_FILES = st.dictionaries(_NAMES, st.tuples(st.binary(max_size=9), st.sampled_from([0o600, 0o444])))


def _visible(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All files that a program finds by the volume's own names."""
    found = {}
    for top, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [each for each in folders if not each.startswith("..")]
        for path in (Path(top, name) for name in names):
            mode = path.stat().st_mode & 0o777
            found[str(path.relative_to(folder))] = (path.read_bytes(), mode)
    return found


@given(st.lists(_FILES, min_size=1, max_size=5))
def test_the_files_are_those_of_the_last_update(
    updates: list[dict[str, tuple[bytes, int]]],
) -> None:
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        for files in updates:
            replace(folder, files)
            assert _visible(folder) == files
        own = [each.name for each in folder.iterdir() if each.name.startswith("..")]
        assert len(own) == 2, "folders of before are left"


def test_an_update_is_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    """Files opened through one `..data` are of one update."""

    def files(number: int) -> dict[str, tuple[bytes, int]]:
        return {name: (str(number).encode(), 0o644) for name in ("a", "in/b")}

    replace(tmp_path, files(0))
    done = threading.Event()
    seen: set[tuple[str, ...]] = set()

    def read() -> None:
        while not done.is_set():
            descriptor = os.open(tmp_path / "..data", os.O_RDONLY)
            try:
                opened = Path(f"/proc/self/fd/{descriptor}")
                seen.add(tuple((opened / name).read_text() for name in ("a", "in/b")))
            except FileNotFoundError:  # The update before this one is gone.
                continue
            finally:
                os.close(descriptor)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        replace(tmp_path, files(number))
    done.set()
    reader.join()
    assert seen
    assert all(first == second for first, second in seen)


def test_what_an_interrupted_update_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "..2026_01_01_00_00_00.x").mkdir()
    (tmp_path / "..data_tmp").symlink_to("..2026_01_01_00_00_00.x")
    replace(tmp_path, {"a": (b"1", 0o644)})
    assert sorted(each.name for each in tmp_path.iterdir() if "2026_01_01" in each.name) == []
    assert not (tmp_path / "..data_tmp").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"1"


def test_folders_that_others_made_stay(tmp_path: Path) -> None:
    """A mount point within the volume is one."""
    replace(tmp_path, {"a": (b"1", 0o644)})
    (tmp_path / "mounted").mkdir()
    replace(tmp_path, {"b": (b"2", 0o644)})
    assert (tmp_path / "mounted").is_dir()
    assert not (tmp_path / "a").exists()
