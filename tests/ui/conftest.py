"""A browser, and a page that must load nothing of other origins, log no error, and leave no control without a name."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser import find
from tests.ui.pages import DESKTOP, Watched, started


# Not for the whole session: its event loop runs as long as it does.
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
    found = made.complaints, made.foreign(), made.nameless()
    made.page.close()
    assert found == ([], set(), [])


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page, opened in a desktop's size."""
    page = watched.open()
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    page.evaluate("localStorage.clear()")
    return page
