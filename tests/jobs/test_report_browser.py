"""The page as a real browser shows it: nothing fetched, nothing cut off, all text readable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.load.results import Result
from jobs.report.page import render
from tests.jobs.browser import Browser
from tests.jobs.chromium import NoBrowserError, chromium
from tests.jobs.results import job, result, run

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WIDTHS = (1280, 800, 390, 360)
SCHEMES = ("light", "dark")
# WCAG 2's for text of ordinary size.
CONTRAST = 4.5
TEXTS = r"""
(() => {
  const parts = colour => colour.match(/[\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = parts(colour).map(each => each / 255).map(
      each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((parts(colour)[3] ?? 1) === 1) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.querySelectorAll('body *')].filter(node =>
    [...node.childNodes].some(each => each.nodeType === 3 && each.textContent.trim()) &&
    node.getClientRects().length && !['title', 'desc'].includes(node.localName));
  return texts.map(node => {
    const style = getComputedStyle(node);
    const [a, b] = [node.namespaceURI.endsWith('svg') ? style.fill : style.color, behind(node)]
      .map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = node.getBoundingClientRect().height;
    return [node.textContent.trim().slice(0, 40), ratio, size];
  });
})()
"""
OVERFLOWING = """
[...document.querySelectorAll('main *')].filter(
  node => node.getBoundingClientRect().right > innerWidth + 0.5).map(node => node.outerHTML)
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        program = chromium(ROOT / ".cache")
    except NoBrowserError as error:
        pytest.skip(str(error))
    with Browser(program, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything that it can have: misses, errors, an earlier run, long names."""
    asked = job(100, 60, model="digits-" + "x" * 90, url="http://digits." + "y" * 200)
    this = Result.of(result(run(100, 60, failing=0.02), asked), "this")
    earlier = Result.of(result(run(100, 60, seed=2), job(100, 60)), "earlier")
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(this, earlier), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_is_fetched_and_nothing_complained_about(
    browser: Browser, report: Path, scheme: str
) -> None:
    browser.show(report, width=1280, scheme=scheme)
    told = {event["method"]: event for event in browser.events}
    fetched = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert fetched == [report.as_uri()]
    for complaint in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
        assert complaint not in told, told[complaint]


@pytest.mark.parametrize("width", WIDTHS)
def test_page_is_no_wider_than_its_window(browser: Browser, report: Path, width: int) -> None:
    browser.show(report, width=width, scheme="light")
    assert browser.run("innerWidth") == width
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(OVERFLOWING) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_all_text_is_readable(browser: Browser, report: Path, width: int, scheme: str) -> None:
    browser.show(report, width=width, scheme=scheme)
    texts = browser.run(TEXTS)
    assert len(texts) > 200
    for text, contrast, pixels in texts:
        assert contrast >= CONTRAST, f"{text!r}: contrast {contrast:.2f}"
        assert pixels >= 11, f"{text!r}: {pixels:.1f} pixels high"


@pytest.mark.parametrize("width", WIDTHS)
def test_each_chart_is_shown_once(browser: Browser, report: Path, width: int) -> None:
    browser.show(report, width=width, scheme="light")
    shown = "[...document.querySelectorAll('svg[role=img]')].filter(e => e.getClientRects().length)"
    titles = browser.run(f"{shown}.map(each => each.querySelector('title').textContent)")
    assert titles == ["Latency by percentile", "Latency over time", "Rate over time"]
