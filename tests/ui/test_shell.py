"""The frame around the views: addresses, the key, colours, the status, the keyboard, phones and accessibility."""

import itertools
import re

import pytest
from playwright.sync_api import Page, Route, expect

from api.page import FILES
from tests.ui.pages import PHONE, VIEWS, Watched, choose, fail, go


def test_every_view_has_an_address_and_a_title(watched: Watched) -> None:
    for view in VIEWS:
        page = watched.open(view)
        heading = page.locator(f"#{view} h1")
        expect(heading).to_be_visible()
        assert page.locator("section:not([hidden])").count() == 1
        assert page.title() == f"{heading.inner_text()} · facegraph"
        assert page.locator(".tabs a[aria-current=page]").inner_text().lower() == view
    page.go_back()
    expect(page.locator("#gallery h1")).to_be_visible()


def test_the_status_shows_every_stage_and_is_refreshed_only_while_shown(page: Page, watched: Watched) -> None:
    def asked() -> int:
        return sum("/v1/status" in request.url for request in watched.asked)

    # The page's clock stands still until the test moves it. Otherwise, the page could ask again if the machine is slow.
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.get_by_role("link", name="Status").click()
    rows = page.get_by_role("table", name="Stages of the service").get_by_role("row")
    expect(rows.filter(has_text="detector-mtcnn")).to_contain_text("MIT")
    text = page.locator("#stages").inner_text()
    parts = ("liveness-crmnet", "embedder-arcface", "Head pose", "Open eyes", "gallery-writer", "Ready", "1 of 1")
    assert [part for part in parts if part not in text] == []
    assert asked() == 1
    with page.expect_response("**/v1/status"):
        page.clock.run_for(3100)
    expect(page.locator("#refreshed")).to_contain_text("updates every 3 seconds")
    page.get_by_role("link", name="Compare").click()
    expect(page.locator("#compare")).to_be_visible()
    before = asked()
    page.clock.run_for(20_000)
    assert asked() == before


def test_a_missing_key_is_asked_for(page: Page) -> None:
    def guarded(route: Route) -> None:
        headers = route.request.headers
        if headers.pop("authorization", "") == "Bearer fg_good":
            # The service itself knows no such key.
            return route.continue_(headers=headers)
        return route.fallback()

    fail(page, "**/v1/**", 401, "UNAUTHENTICATED")
    page.route("**/v1/**", guarded)
    page.get_by_role("link", name="Gallery", exact=True).click()
    alert = page.locator("#gallery > [role=alert]")
    expect(alert).to_contain_text("A valid API key is required.")
    expect(alert).to_contain_text("r-9")
    page.get_by_role("button", name="Enter an API key").click()
    page.get_by_label("Key", exact=True).fill("fg_good")
    with page.expect_response("**/v1/collections*") as answered:
        page.keyboard.press("Enter")
    assert answered.value.ok
    expect(alert).to_be_empty()
    expect(page.get_by_role("button", name="API key: set")).to_be_visible()
    assert page.evaluate("[sessionStorage['facegraph-key'], localStorage['facegraph-key']]") == ["fg_good", None]


def test_the_keyboard_alone_compares_two_photos(page: Page, mindy: bytes, mindy_again: bytes) -> None:
    choose(page, mindy, mindy_again)
    page.locator("#compare-title").focus()
    places = [f"{act} the {place} photo" for place in ("first", "second") for act in ("Replace for", "Remove")]
    for name in (*places, "More photos to compare with the first", "Options", "Compare"):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const at = document.activeElement, host = at.closest("label.button") ?? at;
                return [at.getAttribute("aria-label") ?? at.textContent.trim(), getComputedStyle(host).outlineStyle];
            }"""
        )
        assert focused == [name, "solid"]
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The same person")).to_be_visible()


def test_the_first_tab_leads_past_the_header(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    expect(page.locator("#compare h1")).to_be_visible()


def test_the_colours_follow_the_system_until_switched(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.evaluate(ground) == light
    page.reload()
    assert page.evaluate(ground) == light
    page.emulate_media(color_scheme=None)


def test_on_a_phone_no_view_and_no_answer_is_wider_than_the_window(
    page: Page, mindy: bytes, mindy_again: bytes
) -> None:
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    for view in reversed(VIEWS):
        go(page, view)
        assert page.evaluate(wider) == 0
    choose(page, mindy, mindy_again, names=("a-name-without-a-break-" * 8 + ".jpg", "b.jpg"))
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("#compare .verdict").wait_for()
    assert page.evaluate(wider) == 0


def test_an_unreachable_service_is_reported(page: Page) -> None:
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("link", name="Gallery", exact=True).click()
    expect(page.locator("#gallery > [role=alert]")).to_contain_text(re.compile("could not be reached.*NETWORK"))


PAIRS = [
    *itertools.product(("ink", "muted", "accent"), ("ground", "surface", "sunken")),
    *itertools.product(("good", "bad"), ("surface",)),
    *(("on-accent", "accent"), ("warn", "warn-ground"), ("good", "good-ground"), ("bad", "bad-ground")),
    *itertools.product(("ink",), ("good-ground", "bad-ground", "warn-ground")),
]


def contrast(*colours: str) -> float:
    """The contrast ratio of two colours ``#rrggbb``: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    channels = [[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in colours]
    linear = [[c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in each] for each in channels]
    low, high = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in linear)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_has_enough_contrast_with_its_background(theme: int) -> None:
    text = (FILES / "style" / "theme.css").read_text("utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", text)
    colours = {name: pair[theme] for name, *pair in pairs}
    assert [pair for pair in PAIRS if contrast(*(colours[name] for name in pair)) < 4.5] == []
    # The edges of fields and buttons show where these are.
    assert all(contrast(colours["edge"], colours[ground]) >= 3 for ground in ("ground", "surface"))


def test_every_control_has_a_name_and_headings_have_no_gap(page: Page, watched: Watched) -> None:
    shown = "[...document.querySelectorAll('h1, h2, h3')].filter((each) => each.checkVisibility())"
    for name in VIEWS:
        go(page, name)
        assert watched.nameless() == []
        levels = [int(tag[1]) for tag in page.evaluate(f"{shown}.map((each) => each.tagName)")]
        assert (levels[0], levels.count(1)) == (1, 1)
        assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
