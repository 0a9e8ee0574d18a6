"""The page in a browser, and steps that several tests take on it."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Route, sync_playwright

from tests.browser import Browser

FLAGS = ["--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
DESKTOP = (1280, 800)
PHONE = (360, 740)
VIEWS = {
    "compare": "#compare .photo",
    "search": "#search .photo",
    "gallery": "#collections li",
    "status": "#stages table",
}
"""Each view, and an element that is there once it is drawn."""

NAMED = "button, a, input, select, summary, [role=meter], progress, dialog, img, section"
NAMELESS = """(named) => [...document.querySelectorAll(named)]
    .filter((each) => each.checkVisibility() || each.matches("input.visually-hidden"))
    .filter((each) => {
        const by = each.getAttribute("aria-labelledby");
        const named = each.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent) ||
            [...(each.labels ?? [])].map((label) => label.textContent).join("") || each.alt || each.textContent;
        // An empty alt is intended: it marks a picture without information.
        return !named?.trim() && !each.matches("img[alt='']");
    })
    .map((each) => each.outerHTML.slice(0, 120))"""


@contextmanager
def started(browser: Browser) -> Iterator[BrowserContext]:
    """A window of `browser` with a fake camera."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        sync_playwright() as playwright,
        playwright.chromium.launch_persistent_context(
            profile,
            executable_path=browser.executable,
            args=[*FLAGS, *CAMERA],
            env={**os.environ, **browser.variables},
            viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
        ) as context,
    ):
        context.set_default_timeout(10_000)
        yield context


class Watched:
    """A page with its requests and its errors."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.address = address
        self.asked: list[Request] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request))
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, view: str = "compare") -> Page:
        self.page.goto(f"{self.address.rstrip('/')}/ui#/{view}")
        return self.page

    def foreign(self) -> set[str]:
        """Addresses of other origins that were requested."""
        own = urlsplit(self.address)[:2]
        asked = {urlsplit(request.url) for request in self.asked}
        return {each.geturl() for each in asked if each.scheme not in ("blob", "data") and each[:2] != own}

    def nameless(self) -> list[str]:
        """Visible controls without a name."""
        found: list[str] = self.page.evaluate(NAMELESS, NAMED)
        return found

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser itself logs each refused request.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


def file(content: bytes, name: str = "photo.jpg") -> Any:
    """A file for a form."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def view(page: Page) -> Locator:
    """The visible view."""
    return page.locator("main > section:not([hidden])")


def go(page: Page, name: str) -> None:
    """Open a view by its link and wait until it is drawn."""
    page.get_by_role("link", name=name.title(), exact=True).click()
    page.locator(VIEWS[name]).first.wait_for()


def choose(page: Page, *photos: bytes, names: Sequence[str] = ("first.jpg", "second.jpg")) -> None:
    """Choose photos in the visible view, in the order of its places."""
    for place, photo, name in zip(view(page).locator(".photo").all(), photos, names, strict=False):
        place.locator("input[type=file]").set_input_files(file(photo, name))


def fail(page: Page, pattern: str, status: int, code: str, **headers: str) -> None:
    """Answer requests to `pattern` with this error."""
    body = {"error": {"code": code, "message": "A sentence", "details": {}}, "request_id": "r-9"}
    page.route(pattern, lambda route: route.fulfill(status=status, json=body, headers=headers))


def edit(page: Page, pattern: str, change: Callable[[Any], Any]) -> None:
    """Replace the service's answers to `pattern` with what `change` makes of them."""

    def edited(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=change(response.json()))

    page.route(pattern, edited)
