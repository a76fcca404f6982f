"""An opened page, and what must never happen on it."""

from typing import cast

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import ConsoleMessage, Dialog, Page, Request

_NO_REQUESTS = ("file:", "data:", "about:")


class Seen:
    """`asked` are requests that went out, `errors` what the console told and scripts raised, `dialogs` those
    that opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.dialogs: list[str] = []
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._dialog)

    def _request(self, request: Request) -> None:
        if not request.url.startswith(_NO_REQUESTS):
            self.asked.append(request.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    @property
    def is_calm(self) -> bool:
        return not (self.asked or self.errors or self.dialogs)

    @property
    def names(self) -> list[str]:
        """Of the resources in the table, from the top."""
        return self.page.locator("#table tbody th b").all_inner_texts()

    @property
    def count(self) -> str:
        return self.page.locator("#count").inner_text()

    @property
    def width(self) -> int:
        """Of all that can be scrolled to."""
        return cast("int", self.page.evaluate("() => document.documentElement.scrollWidth"))

    @property
    def ground(self) -> str:
        """The page's background."""
        return cast("str", self.page.evaluate("() => getComputedStyle(document.body).backgroundColor"))

    def choose(self, name: str, value: str) -> None:
        """Of the filter with this id, the option with this text."""
        self.page.locator(f"#{name}").select_option(label=value)

    def barriers(self) -> str:
        """What axe-core finds that bars people with disabilities, by all of its rules; empty when nothing."""
        results = Axe().run(self.page)
        return results.generate_report() if results.violations_count else ""
