"""A page of the session's service in the room's browser, which must never ask a stranger or complain."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser import find
from tests.ui.pages import DESKTOP, Watched, started


# Not for the whole session: while it lasts, its event loop is the running one.
@pytest.fixture(scope="package")
def browser() -> Iterator[BrowserContext]:
    found = find()
    if found is None:
        pytest.skip("there is no browser: run `python -m tests.browser`, or set CHROMIUM")
    with started(found) as context:
        yield context


@pytest.fixture
def watched(browser: BrowserContext, service: httpx.Client) -> Iterator[Watched]:
    made = Watched(browser, str(service.base_url.join("/")))
    yield made
    complaints, strangers = made.complaints, made.strangers()
    made.page.close()
    assert complaints == []
    assert strangers == set()


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page, open, as large as a desktop's."""
    page = watched.open()
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    page.evaluate("localStorage.clear()")
    return page
