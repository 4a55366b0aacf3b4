from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.infra.projects import TEST_ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def project_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a stack's program runs: a folder with build/ and models.lock.json."""
    monkeypatch.chdir(TEST_ROOT)
    return TEST_ROOT
