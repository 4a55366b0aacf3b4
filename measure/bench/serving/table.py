"""Tables of the results. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measure.bench.serving.goals import GOALS, mean, ratio, requests_a_second
from measure.bench.serving.payloads import Payload
from measure.bench.serving.results import Key
from measure.bench.serving.subjects import SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from measure.bench.serving.goals import Goal
    from measure.bench.serving.results import Cell, Group, Results

__all__ = ["goals", "heads", "load_title", "rows"]

Row = tuple[str, ...]
HEADS: Row = (
    *("", "as sent ms", "mean", "p50", "p99", "p99.9"),
    *("requests/s", "CPU s/1000", "Triton's", "MiB"),
)
NONE = "–"
NAMES = tuple(subject.name for subject in SUBJECTS)


def load_title(load: str, payload: str) -> str:
    """The title of a load with a payload."""
    each = Payload.parse(payload)
    images = "image" if each.images == 1 else "images"
    size = f"{each.images} {images} a request, {each.kind.upper()} {each.width}×{each.height}"
    if _is_rate(load):
        return f"{size}, {load.removeprefix('rate')} requests/s"
    if load.startswith("clients"):
        count = load.removeprefix("clients")
        return f"{size}, {count} client{'' if count == '1' else 's'}"
    return f"{size}, at the highest rate with p99 under 50 ms"


def heads(load: str) -> Row:
    """Heads of columns: latencies are compared at a given rate, otherwise throughputs."""
    what = "as sent" if _is_rate(load) else "requests/s"
    return (*HEADS, f"{what}: to SDK JSON", "to Triton binary")


def _is_rate(load: str) -> bool:
    return load.startswith("rate")


def rows(results: Results, group: Group, names: Container[str] = NAMES) -> list[Row]:
    """A row for each measured subject of these names, in the order of SUBJECTS."""
    found: list[Row] = []
    for subject in SUBJECTS:
        key = Key(*group, subject.name)
        if key in results.cells and subject.name in names:
            found.append((subject.title, *_figures(results, key, results.cells[key])))
    return found


def _figures(results: Results, key: Key, cell: Cell) -> Row:
    figures = cell.figures
    if figures is None:
        return (
            *(NONE for _ in range(5)),
            f"at most {cell.capacity:.0f}",
            *(NONE for _ in range(5)),
        )
    latencies = (
        *(figures.service_ms, figures.mean_ms),
        *(figures.at(share) for share in (50, 99, 99.9)),
    )
    # Triton alone was measured with the tensor of the release's own images.
    compared = mean if _is_rate(key.load) else requests_a_second
    others = [
        ratio(results, key, Key(key.model, key.load, payload, subject), compared)
        for subject, payload in (("sdk-json", key.payload), ("triton-binary", _tensor(key)))
    ]
    return (
        *(f"{value:.2f}" for value in latencies),
        f"{figures.throughput:.0f}" if figures.throughput >= 10 else f"{figures.throughput:.1f}",
        f"{figures.cpu:.2f}" if figures.peak_mib else NONE,
        f"{figures.triton_cpu:.2f}",
        f"{figures.peak_mib or figures.triton_peak_mib:.0f}",
        *(f"{value:.2f}" if value else NONE for value in others),
    )


def _tensor(key: Key) -> str:
    return str(Payload(Payload.parse(key.payload).images))


def goals(results: Results, wanted: Sequence[Goal] = GOALS) -> list[Row]:
    """A row for each goal: title, ratio, bound, verdict."""
    found: list[Row] = []
    for goal in wanted:
        value = goal.found(results)
        if value is not None:
            found.append((goal.title, f"{value:.2f}", goal.wanted(), goal.verdict(value)))
    return found
