"""`python -m tests.docs.pictures` takes the pictures of docs/tour.md from a service with the sample photos."""

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import PIL.Image
from playwright.sync_api import Page

from facegraph.client import Client
from project.root import ROOT
from tests.browser import find
from tests.contracts import photo_without_face
from tests.live_service import served
from tests.photos import FOLDER as PHOTOS
from tests.photos import PEOPLE
from tests.ui.pages import PHONE, Watched, choose, file, started, view

FOLDER = ROOT / "docs" / "pictures"
WIDE, NARROW = 1100, PHONE[0]
COLOURS = 64
"""Number of colours of a picture. With more, the files are larger."""
COLLECTION = "staff"
MINDY, MINDY_AGAIN, JERRY = "BgaONVFDFm", "LkvEhTwDeJm", "celebritiesmediumjerryb"


def photo(ending: str) -> bytes:
    return next(PHOTOS.rglob(f"*{ending}*")).read_bytes()


def press(page: Page, button: str, shown: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    page.locator(shown).wait_for()


def same(page: Page) -> None:
    choose(page, photo(MINDY), photo(MINDY_AGAIN), names=("monday.jpg", "tuesday.jpg"))
    press(page, "Compare", "#compare .verdict")


def different(page: Page) -> None:
    page.get_by_text("Options").click()
    choose(page, photo(MINDY), photo(JERRY), names=("monday.jpg", "tuesday.jpg"))
    press(page, "Compare", "#compare .verdict")


def search(page: Page) -> None:
    view(page).get_by_label("Collection", exact=True).select_option(COLLECTION)
    choose(page, photo(MINDY_AGAIN))
    press(page, "Search", "#search .verdict")


def upload(page: Page) -> None:
    page.get_by_role("link", name=COLLECTION).click()
    page.get_by_role("table", name="Subjects").wait_for()
    photos = {"mindy_1.jpg": photo(MINDY), "poster.png": photo_without_face(), "notes.jpg": b"notes"}
    page.get_by_label("Choose photos").set_input_files([file(content, name) for name, content in photos.items()])
    press(page, "Enrol", "#gallery .verdict")


def status(page: Page) -> None:
    page.get_by_role("table", name="Stages of the service").wait_for()


# By name: the view to open, the steps to take on it, width and height from the top of the page, theme.
PICTURES: dict[str, tuple[str, Callable[[Page], None], tuple[int, int], Literal["light", "dark"]]] = {
    "compare": ("compare", same, (WIDE, 1305), "light"),
    "compare-phone": ("compare", different, (NARROW, 1360), "dark"),
    "enrol": ("gallery", upload, (WIDE, 1150), "light"),
    "search": ("search", search, (WIDE, 1290), "light"),
    "status": ("status", status, (WIDE, 1160), "dark"),
}


@contextmanager
def peopled() -> Iterator[str]:
    """The address of a service with a collection of the people on the sample photos."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"GALLERY_URI": f"{folder}/gallery", "KEYS_FILE": f"{folder}/keys.json"}
        with served("configs/serve.yaml", Path(folder) / "log", **variables) as server:
            with Client(server.address) as client:
                client.put_collection(COLLECTION)
                for person in PEOPLE:
                    photos = sorted((PHOTOS / person).glob("*.jpg"))[:4]
                    client.enrol(COLLECTION, person, *photos, quality="report", faces="largest")
            yield server.address


def main() -> None:
    """Take the pictures."""
    browser = find()
    if browser is None:
        raise SystemExit("there is no browser: run `python -m tests.browser`, or set CHROMIUM")
    FOLDER.mkdir(exist_ok=True)
    with peopled() as address, started(browser) as context:
        for name, (opened, act, (width, height), theme) in PICTURES.items():
            page = Watched(context, address).open(opened)
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme)
            act(page)
            image = PIL.Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            page.close()
            image.quantize(COLOURS, PIL.Image.Quantize.MEDIANCUT).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
