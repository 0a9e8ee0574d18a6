"""`python -m tests.ui.screenshots [FOLDER]`: pictures of every view, for desktop and phone, light and dark.

They show a service of their own with sample photos. The default folder is data/screenshots.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx
from playwright.sync_api import Page

from tests.browser import find
from tests.contracts import nobody, side_by_side
from tests.live_service import served
from tests.photos import FOLDER as PHOTOS
from tests.photos import PEOPLE
from tests.ui.pages import DESKTOP, PHONE, Watched, choose, file, started, view

WIDTHS = {"desktop": DESKTOP, "phone": PHONE}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
COLLECTION = "staff"


def photo(person: str, ending: str) -> bytes:
    return next((PHOTOS / person).glob(f"*{ending}*")).read_bytes()


def compare(page: Page, first: bytes, second: bytes) -> None:
    choose(page, first, second, names=("monday.jpg", "tuesday.jpg"))
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("#compare .verdict, #compare .notice").first.wait_for()


def same(page: Page) -> None:
    compare(page, photo("mindy_kaling", "BgaONVFDFm"), photo("mindy_kaling", "LkvEhTwDeJm"))


def different(page: Page) -> None:
    page.get_by_text("Options").click()
    compare(page, photo("mindy_kaling", "BgaONVFDFm"), photo("jerry_seinfeld", "celebritiesmediumjerryb"))


def several(page: Page) -> None:
    mindy, jerry = photo("mindy_kaling", "BgaONVFDFm"), photo("jerry_seinfeld", "celebritiesmediumjerryb")
    compare(page, mindy, side_by_side(mindy, jerry))


def camera(page: Page) -> None:
    page.get_by_role("button", name="Use the camera for the first photo").click()
    page.get_by_role("button", name="Take the photo").wait_for()
    page.wait_for_timeout(300)


def search(page: Page, probe: bytes) -> None:
    view(page).get_by_label("Collection", exact=True).select_option(COLLECTION)
    choose(page, probe)
    page.get_by_role("button", name="Search", exact=True).click()
    page.locator("#search .verdict").wait_for()


def one(page: Page) -> None:
    search(page, photo("mindy_kaling", "LkvEhTwDeJm"))


def two(page: Page) -> None:
    search(page, side_by_side(photo("jerry_seinfeld", "celebritiesmediumjerryb"), photo("mindy_kaling", "LkvEhTwDeJm")))


def collection(page: Page) -> None:
    page.get_by_role("link", name=COLLECTION).click()
    page.get_by_role("table", name="Subjects").wait_for()


def faces(page: Page) -> None:
    collection(page)
    page.get_by_role("button", name="Faces of madonna").click()
    page.get_by_role("dialog").wait_for()


def upload(page: Page) -> None:
    collection(page)
    photos = {"mindy_1.jpg": photo("mindy_kaling", "BgaONVFDFm"), "poster.png": nobody(), "notes.jpg": b"notes"}
    page.get_by_label("Choose photos").set_input_files([file(content, name) for name, content in photos.items()])
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.locator("#gallery .verdict").wait_for()


def status(page: Page) -> None:
    page.get_by_role("table", name="Stages of the service").wait_for()


def empty(page: Page) -> None:
    page.locator("section:not([hidden]) select option").first.wait_for(state="attached")


SCENES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "compare": ("compare", empty),
    "compare-same": ("compare", same),
    "compare-different": ("compare", different),
    "compare-several": ("compare", several),
    "compare-camera": ("compare", camera),
    "search": ("search", one),
    "search-two": ("search", two),
    "gallery": ("gallery", empty),
    "gallery-collection": ("gallery", collection),
    "gallery-faces": ("gallery", faces),
    "gallery-upload": ("gallery", upload),
    "status": ("status", status),
}


@contextmanager
def peopled() -> Iterator[str]:
    """The address of a service with a collection of the people on the sample photos."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"GALLERY_URI": f"{folder}/gallery", "KEYS_FILE": f"{folder}/keys.json"}
        with served("configs/serve.yaml", Path(folder) / "log", **variables) as server:
            with httpx.Client(base_url=server.address, timeout=60) as client:
                client.put(f"/v1/collections/{COLLECTION}", json={}).raise_for_status()
                for person in PEOPLE:
                    photos = sorted((PHOTOS / person).glob("*.jpg"))[:4]
                    files = [("photo", (f"{n}.jpg", path.read_bytes())) for n, path in enumerate(photos, 1)]
                    where, options = f"/v1/collections/{COLLECTION}/faces", {"quality": "report", "faces": "largest"}
                    client.post(where, data={"subject": person}, files=files, params=options).raise_for_status()
            yield server.address


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=PHOTOS.with_name("screenshots"))
    parser.add_argument("--scene", action="append", choices=SCENES, help="only this one; repeatable")
    args = parser.parse_args()
    browser = find()
    if browser is None:
        parser.exit(1, "there is no browser: run `python -m tests.browser`, or set CHROMIUM\n")
    args.folder.mkdir(parents=True, exist_ok=True)
    with peopled() as address, started(browser) as context:
        for name in args.scene or SCENES:
            address_of, act = SCENES[name]
            page = Watched(context, address).open(address_of)
            act(page)
            for width, (across, down) in WIDTHS.items():
                page.set_viewport_size({"width": across, "height": down})
                for theme in THEMES:
                    page.emulate_media(color_scheme=theme)
                    # A dialog covers the window only.
                    whole = page.get_by_role("dialog").count() == 0
                    page.screenshot(path=args.folder / f"{name}-{width}-{theme}.png", full_page=whole)
            page.close()
            print(f"{name}: {len(WIDTHS) * len(THEMES)} pictures")


if __name__ == "__main__":
    main()
