from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from docs.check_links import dead_links

if TYPE_CHECKING:
    from pathlib import Path


def test_a_dead_link_is_named(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "a.md").write_text("[b](b.md) [gone](gone.md#x) [web](https://example.com)")
    (tmp_path / "b.md").touch()
    assert dead_links(tmp_path) == ["a.md: gone.md"]
