"""The page in the system's own Chromium. None is ever downloaded.

Where there is none the tests are skipped, but with `HOLDFAST_BROWSER=required`, which CI sets, they fail.
"""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from holdfast.core.posture import Posture
from holdfast.page.render import render
from tests.browser.chromium import find_chromium, started
from tests.browser.seen import Seen

type Open = Callable[..., Seen]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if find_chromium() is None:
        reason = "there is no chromium here: on Debian and Ubuntu `apt-get install chromium`"
        if os.environ.get("HOLDFAST_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with started() as one:
        yield one


@pytest.fixture
def look(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a posture's page from a file, as people do, `hours` after it was written; further options are
    those of the browser's context."""
    contexts = []

    def opened(posture: Posture, *, hours: float = 1, **options: Any) -> Seen:
        file = tmp_path / "index.html"
        file.write_text(render(posture), encoding="utf-8")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        context.set_default_timeout(5_000)
        contexts.append(context)
        seen = Seen(context.new_page())
        if options.get("java_script_enabled", True):
            seen.page.clock.set_fixed_time(posture.at + timedelta(hours=hours))
        seen.page.goto(file.as_uri())
        return seen

    yield opened
    for context in contexts:
        context.close()
