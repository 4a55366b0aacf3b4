"""A load test's result as a page: one file, without scripts, that needs no network. Pure."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jobs.report import words
from jobs.report.charts import latency_chart, percentile_chart, rate_chart, spans
from jobs.report.seed import SEED_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template

    from jobs.load.results import Result

__all__ = ["page"]

# Each chart is drawn for three widths of window: one that is scaled down has unreadable text.
SIZES = {"wide": (880, 300), "medium": (560, 280), "narrow": (320, 250)}
DRAWN_SPANS, LISTED_SPANS = 240, 60
# The rows of the table beside the chart.
LISTED = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.99, 100)


def page(result: Result, previous: Result | None = None) -> str:
    """The page's HTML."""
    drawn = spans(result, DRAWN_SPANS)
    return _template().render(
        result=result,
        previous=previous,
        words=words,
        headline=words.HEADLINES[result.verdict],
        objectives=words.objectives(result),
        reasons=words.reasons(result),
        compared=words.compared(result, previous),
        differences=words.differences(result, previous) if previous else [],
        seed_words=SEED_WORDS,
        percentiles=_drawn("percentiles", partial(percentile_chart, result, previous)),
        latency=_drawn("latency", partial(latency_chart, result, drawn)),
        rate=_drawn("rate", partial(rate_chart, result, drawn)),
        listed=[(share, ms) for share, ms in result.distribution if share in LISTED],
        spans=spans(result, LISTED_SPANS),
        span_seconds=drawn[0].end - drawn[0].start if drawn else 0,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _drawn(name: str, draw: Callable[[str, tuple[int, int]], str]) -> dict[str, Markup]:
    """By width of window; what is drawn has been escaped as it was built."""
    return {width: Markup(draw(f"{name}-{width}", size)) for width, size in SIZES.items()}
