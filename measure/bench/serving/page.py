"""docs/benchmark.md and its plots, generated from the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from measure.bench.placement.endpoints import HEADS, HOPS, PLACEMENTS, rows
from measure.bench.serving import side_by_side, table
from measure.bench.serving.loads import CLIENTS, FEW_CLIENTS, KINDS, MODEL, MODELS, RATE, SEVERAL
from measure.bench.serving.payloads import Payload
from measure.bench.serving.plots import percentiles, under_clients
from measure.bench.serving.results import Key
from measure.bench.serving.subjects import PEERS, SUBJECTS, TRANSFORMERS
from measure.bench.tables import markdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from measure.bench.serving.results import Cell, Results

__all__ = ["render", "write"]

NAME = "benchmark"
TEMPLATE = "page.md.j2"
IMAGES = (1, SEVERAL, 64)
NONE = "–"


def write(results: Results, placement: dict[str, Any] | None, docs: Path) -> None:
    """Write the page and the plots. Remove older plots."""
    made = render(results, placement)
    (docs / NAME).mkdir(exist_ok=True)
    for old in (docs / NAME).glob("*.svg"):
        old.unlink()
    for name, text in made.items():
        (docs / name).write_text(text)


def render(results: Results, placement: dict[str, Any] | None = None) -> dict[str, str]:
    """Path under docs/ -> content. `placement` is the part of results.json on placements."""
    plots = {f"{NAME}/{name}.svg": text for name, text in _plots(results).items() if text}
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    content = _content(results) | _placements(placement)
    text = templates.get_template(TEMPLATE).render(content, plots=plots)
    return plots | {f"{NAME}.md": text}


def _plots(results: Results) -> dict[str, str | None]:
    made = {
        f"rate-{payload}": percentiles(results, (model, load, payload))
        for model, load, payload in results.groups()
        if (model, load) == (MODEL, f"rate{RATE}")
    }
    made["clients"] = under_clients(results, MODEL, CLIENTS, TRANSFORMERS)
    return made | {
        f"peers-{model}": under_clients(results, model, FEW_CLIENTS, PEERS) for model in MODELS
    }


def _content(results: Results) -> dict[str, Any]:
    def groups(wanted: str) -> list[dict[str, str]]:
        return [
            {
                "title": table.load_title(load, payload),
                "plot": f"{NAME}/rate-{payload}.svg",
                "table": markdown(
                    table.heads(load), table.rows(results, (model, load, payload), TRANSFORMERS)
                ),
            }
            for model, load, payload in results.groups()
            if (model, load) == (MODEL, wanted)
        ]

    verdicts = table.goals(results)
    return {
        "model": MODEL,
        "several": SEVERAL,
        "goals": markdown(("ratio", "found", "wanted", ""), verdicts) if verdicts else "",
        "peers": _by_model(results, side_by_side.PEER_HEADS, side_by_side.peers),
        "formats": _by_model(results, side_by_side.FORMAT_HEADS, side_by_side.formats),
        "rate": groups(f"rate{RATE}"),
        "saturation": groups("saturation"),
        "clients": _by_clients(results),
        "images": _by_images(results),
        "machines": results.machines,
        "spread": _spread(results),
        "rounds": max((cell.rounds for cell in results.cells.values()), default=0),
    }


def _by_model(
    results: Results, heads: table.Row, made: Callable[[Results, str], list[table.Row]]
) -> list[dict[str, str]]:
    """The models of which there are results, each with its table."""
    found = [(model, made(results, model)) for model in MODELS]
    return [{"model": model, "table": markdown(heads, body)} for model, body in found if body]


def _placements(found: dict[str, Any] | None) -> dict[str, Any]:
    def table_of(titles: dict[str, str]) -> str:
        return markdown(HEADS, list(rows(found, titles))) if found else ""

    return {"placement": found, "placements": table_of(PLACEMENTS), "hops": table_of(HOPS)}


def _by_clients(results: Results) -> str:
    """Requests a second and p99 in ms, a column for each number of clients."""

    def shown(_: Key, cell: Cell) -> str:
        assert cell.figures
        return f"{cell.figures.throughput:.0f} ({cell.figures.p99_ms:.1f})"

    columns = [(f"clients{count}", str(Payload(1))) for count in CLIENTS]
    return _matrix(results, [str(count) for count in CLIENTS], columns, shown)


def _by_images(results: Results) -> list[tuple[str, str]]:
    """Images a second of one client, a table for each format and size."""

    def shown(key: Key, cell: Cell) -> str:
        assert cell.figures
        return f"{cell.figures.throughput * Payload.parse(key.payload).images:.0f}"

    found = []
    for kind, (width, height) in KINDS:
        columns = [("clients1", str(Payload(count, kind, width, height))) for count in IMAGES]
        made = _matrix(results, [str(count) for count in IMAGES], columns, shown)
        if made:
            found.append((f"{kind.upper()} {width}×{height}", made))
    return found


def _matrix(
    results: Results,
    heads: list[str],
    columns: list[tuple[str, str]],
    shown: Callable[[Key, Cell], str],
) -> str:
    body = []
    for subject in (each for each in SUBJECTS if each.name in TRANSFORMERS):
        keys = [Key(MODEL, load, payload, subject.name) for load, payload in columns]
        cells = [results.cells.get(key) for key in keys]
        if any(cell and cell.figures for cell in cells):
            pairs = zip(keys, cells, strict=True)
            values = [shown(key, cell) if cell and cell.figures else NONE for key, cell in pairs]
            body.append((subject.title, *values))
    return markdown(("", *heads), body) if body else ""


def _spread(results: Results) -> float:
    """Largest difference between the rounds' means of a cell at the given rate, in per cent."""
    found = [
        100 * (cell.mean_ms_range[1] - cell.mean_ms_range[0]) / cell.figures.mean_ms
        for key, cell in results.cells.items()
        if cell.figures and cell.figures.mean_ms and key.load == f"rate{RATE}"
    ]
    return max(found, default=0.0)
