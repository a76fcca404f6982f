"""Writes docs/page.png, the page of a small company with troubles: `python -m tests.browser.screenshot`."""

import tempfile
from datetime import timedelta
from pathlib import Path

from holdfast.page.render import render
from tests import postures
from tests.browser.chromium import started

PICTURE = Path(__file__).parents[2] / "docs" / "page.png"


def main() -> None:
    """As it is seen an hour after it was written, down to the table's first two resources."""
    posture = postures.company()
    with tempfile.TemporaryDirectory() as folder, started() as browser:
        file = Path(folder, "index.html")
        file.write_text(render(posture), encoding="utf-8")
        page = browser.new_page(viewport={"width": 1280, "height": 1400}, color_scheme="light")
        page.clock.set_fixed_time(posture.at + timedelta(hours=1))
        page.goto(file.as_uri())
        last = page.locator("#table tbody").nth(1).bounding_box()
        assert last, "the sample has two resources at least"
        height = last["y"] + last["height"] + 1
        page.screenshot(path=PICTURE, full_page=True, clip={"x": 0, "y": 0, "width": 1280, "height": height})


if __name__ == "__main__":
    main()
