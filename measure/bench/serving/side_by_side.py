"""Tables with a row for each peer or format, and a column for each load. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measure.bench.serving.goals import OURS, images_a_second, mean, ratio, requests_a_second
from measure.bench.serving.loads import FEW_CLIENTS, RATE, SEVERAL
from measure.bench.serving.payloads import Payload
from measure.bench.serving.results import Key
from measure.bench.serving.subjects import FORMATS, PEERS, SUBJECTS
from measure.bench.serving.table import NONE, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from measure.bench.serving.results import Cell, Results

__all__ = ["FORMAT_HEADS", "PEER_HEADS", "formats", "peers"]

_RATE: Row = ("", "mean ms", "p99 ms", "CPU s/1000", "MiB")
FORMAT_HEADS: Row = (*_RATE, *map(str, FEW_CLIENTS))
PEER_HEADS: Row = (*FORMAT_HEADS, f"1 × {SEVERAL} images", f"{SEVERAL} × {SEVERAL} images")
ONE = str(Payload(1))


def peers(results: Results, model: str) -> list[Row]:
    """A row for each server, ratios in brackets to our transformer over HTTP."""
    several = str(Payload(SEVERAL))
    return [
        (
            subject.title,
            *_steady(results, model, subject.name, OURS),
            *_clients(results, model, subject.name, OURS),
            *(
                _cell(
                    results,
                    Key(model, f"clients{count}", several, subject.name),
                    OURS,
                    images_a_second,
                )
                for count in (1, SEVERAL)
            ),
        )
        for subject in SUBJECTS
        if subject.name in PEERS and _measured(results, model, subject.name)
    ]


def formats(results: Results, model: str) -> list[Row]:
    """A row for each format behind Triton alone, ratios in brackets to TorchScript."""
    return [
        (
            str(subject.format),
            *_steady(results, model, subject.name, FORMATS[0]),
            *_clients(results, model, subject.name, FORMATS[0]),
        )
        for subject in SUBJECTS
        if subject.name in FORMATS and _measured(results, model, subject.name)
    ]


def _measured(results: Results, model: str, subject: str) -> bool:
    return any((key.model, key.subject) == (model, subject) for key in results.cells)


def _steady(results: Results, model: str, subject: str, base: str) -> Row:
    """Mean, p99, CPU and memory of all processes at the given rate."""
    key = Key(model, f"rate{RATE}", ONE, subject)
    cell = results.cells.get(key)
    if cell is None or cell.figures is None:
        return (f"at most {cell.capacity:.0f}/s" if cell else NONE, NONE, NONE, NONE)
    figures = cell.figures
    return (
        _cell(results, key, base, mean),
        f"{figures.p99_ms:.2f}",
        f"{figures.cpu + figures.triton_cpu:.2f}",
        f"{figures.peak_mib + figures.triton_peak_mib:.0f}",
    )


def _clients(results: Results, model: str, subject: str, base: str) -> Row:
    """Requests a second by the number of clients."""
    return tuple(
        _cell(results, Key(model, f"clients{count}", ONE, subject), base, requests_a_second)
        for count in FEW_CLIENTS
    )


def _cell(results: Results, key: Key, base: str, read: Callable[[Key, Cell], float]) -> str:
    """A figure, and its ratio to that of another subject."""
    cell = results.cells.get(key)
    if cell is None or cell.figures is None:
        return NONE
    value = read(key, cell)
    to = ratio(results, key, Key(key.model, key.load, key.payload, base), read)
    shown = f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
    return f"{shown} ({to:.2f})" if to else shown
