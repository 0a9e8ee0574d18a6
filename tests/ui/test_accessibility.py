"""Names of controls, contrast of colours, and the order of headings."""

import itertools
import re

import pytest
from playwright.sync_api import Page

from api.page import FILES
from tests.ui.pages import VIEWS, Watched, go

PAIRS = [
    *itertools.product(("ink", "muted", "accent"), ("ground", "surface", "sunken")),
    *itertools.product(("good", "bad"), ("surface",)),
    *(("on-accent", "accent"), ("warn", "warn-ground"), ("good", "good-ground"), ("bad", "bad-ground")),
    *itertools.product(("ink",), ("good-ground", "bad-ground", "warn-ground")),
]


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


def test_every_control_has_a_name_and_headings_have_no_gap(page: Page, watched: Watched) -> None:
    shown = "[...document.querySelectorAll('h1, h2, h3')].filter((each) => each.checkVisibility())"
    for name in VIEWS:
        go(page, name)
        assert watched.nameless() == []
        levels = [int(tag[1]) for tag in page.evaluate(f"{shown}.map((each) => each.tagName)")]
        assert (levels[0], levels.count(1)) == (1, 1)
        assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
