"""A load test's result as a page: one file, without scripts, that needs no network. Pure."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jobs.report import formatting
from jobs.report.charts import latency_chart, percentile_chart, rate_chart, spans
from jobs.report.reference import REFERENCE_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template

    from jobs.load.results import Result

__all__ = ["render"]

# Each chart is drawn for three widths of window: text of a chart that is scaled down is too small.
SIZES = {"wide": (880, 330), "medium": (560, 340), "narrow": (320, 330)}
DRAWN_SPANS, LISTED_SPANS = 240, 60
# Percentiles in the table below the chart.
LISTED = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.99, 100)


def render(result: Result, previous: Result | None = None) -> str:
    """HTML of the page."""
    drawn = spans(result, DRAWN_SPANS)
    return _template().render(
        result=result,
        previous=previous,
        formatting=formatting,
        headline=formatting.HEADLINES[result.verdict],
        objectives=formatting.objectives(result),
        reasons=formatting.reasons(result),
        compared=formatting.compare(result, previous),
        differences=formatting.differences(result, previous) if previous else [],
        reference_text=REFERENCE_TEXT,
        percentiles=_drawn("percentiles", partial(percentile_chart, result, previous)),
        latency=_drawn("latency", partial(latency_chart, result, drawn)),
        rate=_drawn("rate", partial(rate_chart, result, drawn)),
        listed=[each for each in result.latency_ms.distribution if each.percentile in LISTED],
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
    """A chart by width of window. The plot module has escaped its text."""
    return {width: Markup(draw(f"{name}-{width}", size)) for width, size in SIZES.items()}
