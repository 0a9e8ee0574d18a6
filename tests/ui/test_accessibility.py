"""Names of controls, contrast of colours, and the order of headings."""

import itertools
import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from api.page import FILES
from tests.ui.pages import VIEWS, choose, go

PAIRS = [
    *itertools.product(("ink", "muted", "accent"), ("ground", "surface", "sunken")),
    *itertools.product(("good", "bad"), ("surface",)),
    *(("on-accent", "accent"), ("warn", "warn-ground"), ("good", "good-ground"), ("bad", "bad-ground")),
    *itertools.product(("ink",), ("good-ground", "bad-ground", "warn-ground")),
]

NAMED = "button, a, input, select, summary, [role=meter], progress, dialog, img, section"
NAMELESS = """(named) => [...document.querySelectorAll(named)]
    .filter((each) => each.checkVisibility() || each.matches("input.visually-hidden"))
    .filter((each) => {
        const by = each.getAttribute("aria-labelledby");
        const named = each.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent) ||
            [...(each.labels ?? [])].map((label) => label.textContent).join("") || each.alt || each.textContent;
        // An empty alt is said on purpose, of a picture that tells nothing.
        return !named?.trim() && !each.matches("img[alt='']");
    })
    .map((each) => each.outerHTML.slice(0, 120))"""


def contrast(*colours: str) -> float:
    """Of two colours ``#rrggbb``, by WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    channels = [[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in colours]
    linear = [[c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in each] for each in channels]
    low, high = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in linear)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_stands_out_from_its_ground(theme: int) -> None:
    text = (FILES / "style" / "theme.css").read_text("utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", text)
    colours = {name: pair[theme] for name, *pair in pairs}
    assert [pair for pair in PAIRS if contrast(*(colours[name] for name in pair)) < 4.5] == []
    # Edges of fields and buttons, which tell where they are.
    assert all(contrast(colours["edge"], colours[ground]) >= 3 for ground in ("ground", "surface"))


def test_no_colour_stands_outside_of_the_theme() -> None:
    for name in ("layout.css", "parts.css"):
        text = (FILES / "style" / name).read_text("utf-8")
        # Drawn over photos of any colour, and black behind a camera's picture.
        over_photos = r"\.(box|landmark|number) \{.*|dialog video.*|dialog::backdrop.*"
        assert re.findall(r"#[0-9a-f]{3,6}\b|rgb\(.*?\)", re.sub(over_photos, "", text)) == []


def test_every_control_has_a_name_and_headings_have_no_gap(page: Page) -> None:
    shown = "[...document.querySelectorAll('h1, h2, h3')].filter((each) => each.checkVisibility())"
    for name in VIEWS:
        go(page, name)
        assert page.evaluate(NAMELESS, NAMED) == []
        levels = [int(tag[1]) for tag in page.evaluate(f"{shown}.map((each) => each.tagName)")]
        assert (levels[0], levels.count(1)) == (1, 1)
        assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_an_answer_is_announced_and_every_part_of_it_has_a_name(page: Page, mindy: bytes, mindy_again: bytes) -> None:
    choose(page, mindy, mindy_again)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("#compare [aria-live=polite] .verdict").wait_for()
    assert page.evaluate(NAMELESS, NAMED) == []


def test_an_open_collection_and_a_dialog_have_names(page: Page, service: httpx.Client) -> None:
    service.put("/v1/collections/named", json={}).raise_for_status()
    page.evaluate("location.hash = '#/gallery/named'")
    page.get_by_role("button", name="Delete the collection").click()
    expect(page.get_by_role("dialog", name="Delete the collection named?")).to_be_visible()
    assert page.evaluate("document.activeElement.textContent") == "Keep"
    assert page.evaluate(NAMELESS, NAMED) == []
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
