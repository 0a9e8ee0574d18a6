"""Scenes on the page, and a service to play them on, for the pictures of docs/tour.md."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page

from tests.contracts import photo_without_face
from tests.live_service import served
from tests.photos import FOLDER, PEOPLE
from tests.ui.pages import choose, file, view

COLLECTION = "staff"


def photo(ending: str) -> bytes:
    return next(FOLDER.rglob(f"*{ending}*")).read_bytes()


MINDY, MINDY_AGAIN, JERRY = "BgaONVFDFm", "LkvEhTwDeJm", "celebritiesmediumjerryb"


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


SCENES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "compare-same": ("compare", same),
    "compare-different": ("compare", different),
    "search": ("search", search),
    "gallery-upload": ("gallery", upload),
    "status": ("status", lambda page: page.get_by_role("table", name="Stages of the service").wait_for()),
}
"""By name, the view to open and the steps to take on it."""


@contextmanager
def peopled() -> Iterator[str]:
    """The address of a service with a collection of the people on the sample photos."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"GALLERY_URI": f"{folder}/gallery", "KEYS_FILE": f"{folder}/keys.json"}
        with served("configs/serve.yaml", Path(folder) / "log", **variables) as server:
            with httpx.Client(base_url=server.address, timeout=60) as client:
                client.put(f"/v1/collections/{COLLECTION}", json={}).raise_for_status()
                for person in PEOPLE:
                    photos = sorted((FOLDER / person).glob("*.jpg"))[:4]
                    files = [("photo", (f"{n}.jpg", path.read_bytes())) for n, path in enumerate(photos, 1)]
                    where, options = f"/v1/collections/{COLLECTION}/faces", {"quality": "report", "faces": "largest"}
                    client.post(where, data={"subject": person}, files=files, params=options).raise_for_status()
            yield server.address
