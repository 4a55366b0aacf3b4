"""The picture of a load test's page in the README: `python -m docs.report_picture REPORT.html`.

Needs the environment .venv-model and Chromium; the tests of the page fetch one if there is none.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.jobs.browser import Browser
from tests.jobs.chromium import chromium

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "report.png"
WIDTH, HEIGHT = 1000, 900
COLOURS = 256


def take(report: Path, picture: Path) -> None:
    """Write the upper part of the page, with its tables closed, as a PNG with few colours."""
    with (
        tempfile.TemporaryDirectory() as profile,
        Browser(chromium(ROOT / ".cache"), Path(profile)) as browser,
    ):
        browser.show(report.resolve(), width=WIDTH, scheme="light")
        browser.run("document.querySelectorAll('details').forEach(each => each.open = false)")
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": 1}
        shot = browser.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    image = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(picture, optimize=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]), PICTURE)
