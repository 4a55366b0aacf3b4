"""vegeta: one open-loop attack, and every request of it."""

from __future__ import annotations

import csv
import os
import subprocess
import time
from typing import TYPE_CHECKING

import numpy as np

from jobs.http_client import UnreachableError, request
from local.errors import LocalError
from local.toolchain import tool
from measure.tune.errors import BenchError, TuneError
from measure.tune.trial import Hits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.load.vegeta import Target

__all__ = ["attack", "program", "settle"]

TIMEOUT_SECONDS = 2.0
# What was sent too much is answered or given up by then.
SETTLE_SECONDS = 20.0
MARGIN_SECONDS = 30.0


def program() -> str:
    """The pinned one, or the one that VEGETA names. Raises TuneError where there is none."""
    try:
        return os.environ.get("VEGETA") or str(tool("vegeta"))
    except LocalError as error:
        raise TuneError(f"{error}; or name it: VEGETA=PATH") from error


def attack(vegeta: str, targets: Sequence[Target], rate: int, seconds: float, at: Path) -> Hits:
    """Requests at their times, whatever comes back of those before; `at` is a folder to work in.

    Raises TuneError where vegeta can't be run, or sent nothing.
    """
    given, made = at / "targets.json", at / "results.bin"
    given.write_text("".join(target.line() + "\n" for target in targets))
    _run(
        [
            *(vegeta, "attack", "-format=json", f"-targets={given}", f"-output={made}"),
            *(f"-rate={rate}/1s", f"-duration={round(seconds * 1000)}ms", "-max-body=0"),
            *(f"-timeout={round(TIMEOUT_SECONDS * 1000)}ms", "-redirects=-1"),
        ],
        seconds + TIMEOUT_SECONDS + MARGIN_SECONDS,
    )
    rows = list(csv.reader(_run([vegeta, "encode", "-to=csv", str(made)], 60).splitlines()))
    if not rows:
        raise TuneError(f"vegeta sent no request to {targets[0].url}")
    columns = list(zip(*rows, strict=True))
    return Hits(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[2], dtype=np.int64),
        np.array(columns[1]) == "200",
    )


def settle(target: Target, soon_ms: float) -> None:
    """Until one request is answered soon, twice. Raises BenchError where that doesn't come."""
    end = time.monotonic() + SETTLE_SECONDS
    soon = 0
    said = "no answer"
    while soon < 2:
        if time.monotonic() > end:
            raise BenchError(f"{target.url}: {said}, {SETTLE_SECONDS:.0f} s after it was ready")
        began = time.monotonic()
        try:
            answer = request(
                target.url, body=target.body, headers=target.headers, timeout=TIMEOUT_SECONDS
            )
        except UnreachableError as error:
            said = str(error)
            time.sleep(0.2)
            continue
        took = (time.monotonic() - began) * 1000
        said = f"{answer}, in {took:.0f} ms"
        soon = soon + 1 if answer.status == 200 and took <= soon_ms else 0


def _run(arguments: Sequence[str], limit: float) -> str:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=limit, check=False)
    except OSError as error:
        raise TuneError(f"the load generator {arguments[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise TuneError(f"vegeta {arguments[1]} did not end within {limit:g} s") from error
    if done.returncode:
        raise TuneError(f"vegeta {arguments[1]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
