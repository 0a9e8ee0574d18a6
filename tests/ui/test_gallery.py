"""The views of the gallery: creating a collection, enrolling photos, searching, managing subjects, and deleting."""

import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.contracts import photo_without_face, side_by_side
from tests.ui.pages import Watched, choose, edit, fail, file, view

PEOPLE = ("madonna", "mindy_kaling")


@pytest.fixture
def room(service: httpx.Client) -> Iterator[str]:
    """The name of a collection that is deleted after the test."""
    name = f"page-{uuid.uuid4().hex[:8]}"
    yield name
    service.delete(f"/v1/collections/{name}", params={"with_faces": True})


@pytest.fixture
def opened(page: Page, service: httpx.Client, room: str) -> Page:
    """The gallery with an empty collection opened."""
    service.put(f"/v1/collections/{room}", json={}).raise_for_status()
    page.evaluate("name => { location.hash = `#/gallery/${name}`; }", room)
    expect(page.get_by_text("Nobody is enrolled yet.")).to_be_visible()
    return page


def enrol(page: Page, done: str = "Done") -> None:
    page.get_by_role("button", name="Enrol", exact=True).click()
    expect(page.locator("#gallery .verdict h3")).to_have_text(done)


def fate(page: Page) -> str:
    return page.locator("#gallery .verdict p").inner_text()


def subjects(service: httpx.Client, room: str) -> dict[str, int]:
    listed = service.get(f"/v1/collections/{room}/subjects").json()["subjects"]
    return {each["id"]: each["faces"] for each in listed}


def test_from_an_empty_gallery_to_a_found_face_and_back(
    page: Page, watched: Watched, service: httpx.Client, room: str, sample_photos: Path, tmp_path: Path, jerry: bytes
) -> None:
    page.get_by_role("link", name="Gallery", exact=True).click()
    view(page).get_by_label("Name", exact=True).fill(room)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=room)).to_be_visible()
    for person in PEOPLE:
        (tmp_path / person).mkdir()
        for path in sorted((sample_photos / person).iterdir())[:3]:
            shutil.copy(path, tmp_path / person)
    page.get_by_label("Choose a folder").set_input_files(tmp_path)
    expect(page.locator("#collection [role=status]")).to_have_text("6 photos of 2 subjects: madonna, mindy_kaling")
    page.get_by_label("Poor photos").select_option("report")
    enrol(page)
    assert fate(page) == "6 faces enrolled."
    assert subjects(service, room) == dict.fromkeys(PEOPLE, 3)

    mindy_again = next((sample_photos / "mindy_kaling").glob("*LkvEhTwDeJm*")).read_bytes()
    for person, verdict in (("mindy_kaling", "This is mindy_kaling"), ("madonna", "This is not madonna")):
        page.get_by_role("button", name=f"Compare a photo with {person}").click()
        dialog = page.get_by_role("dialog", name=f"Is this {person}?")
        dialog.get_by_label("Choose a file").set_input_files(file(mindy_again))
        expect(dialog.get_by_role("heading", name=verdict, exact=True)).to_be_visible()
        dialog.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Faces of madonna").click()
    dialog = page.get_by_role("dialog", name="madonna")
    expect(dialog.get_by_role("listitem")).to_have_count(3)
    dialog.get_by_role("button", name=re.compile("Delete the face")).first.click()
    page.get_by_role("dialog", name="Delete this face?").get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("row", name=re.compile("^madonna")).locator("[data-name=Faces]")).to_have_text("2")

    page.get_by_role("link", name="Search", exact=True).click()
    view(page).get_by_label("Collection", exact=True).select_option(room)
    choose(page, mindy_again)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("heading", name="This is mindy_kaling")).to_be_visible()
    expect(page.locator("#search .card", has_text="The face")).to_contain_text("Eyes open")
    best, other = page.locator("#search [role=meter]").all()
    assert best.get_attribute("aria-label") == "mindy_kaling: match"
    assert other.get_attribute("aria-label") == "madonna: below the threshold"
    assert (other.get_attribute("aria-valuetext") or "").endswith("needs at least 0.42 (model default)")
    page.get_by_label("Minimum margin").fill("1.9")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("heading", name="The two most similar subjects are too close")).to_be_visible()
    expect(page.get_by_role("meter", name="mindy_kaling: no match, margin too small")).to_be_visible()
    page.get_by_label("Minimum margin").fill("")
    choose(page, side_by_side(jerry, mindy_again))
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("heading", name="1 of 2 faces recognised")).to_be_visible()

    page.get_by_role("link", name="Gallery", exact=True).click()
    page.get_by_role("link", name=re.compile(room)).click()
    page.get_by_role("button", name="Delete mindy_kaling").click()
    keep = page.get_by_role("dialog", name="Delete mindy_kaling?").get_by_role("button", name="Keep")
    expect(keep).to_be_focused()
    assert watched.nameless() == []
    keep.click()
    assert "mindy_kaling" in subjects(service, room)
    page.get_by_role("button", name="Delete mindy_kaling").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("row", name=re.compile("^mindy"))).to_have_count(0)
    assert subjects(service, room) == {"madonna": 2}
    page.get_by_role("button", name="Delete the collection").click()
    expect(page.get_by_role("dialog")).to_contain_text("This permanently deletes its 2 faces.")
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("Open a collection to see")).to_be_visible()
    assert service.get(f"/v1/collections/{room}").status_code == 404


def test_each_refused_photo_is_reported_with_its_reason(
    opened: Page, service: httpx.Client, room: str, mindy: bytes, jerry: bytes
) -> None:
    names = {
        "mindy.jpg": mindy,
        "both.png": side_by_side(mindy, jerry),
        "landscape.png": photo_without_face(),
        "text.jpg": b"text",
    }
    opened.get_by_label("Choose photos").set_input_files([file(content, name) for name, content in names.items()])
    enrol(opened)
    assert fate(opened) == "1 face enrolled, 3 photos refused."
    rows = opened.get_by_role("table", name="Refused photos").get_by_role("row").all()[1:]
    assert [row.get_by_role("rowheader").inner_text() for row in rows] == ["both.png", "landscape.png", "text.jpg"]
    reasons = ("The photo shows several faces.", "No face was found.", "This file cannot be read as a photo.")
    for row, reason in zip(rows, reasons, strict=True):
        assert reason in row.inner_text()
    assert subjects(service, room) == {"mindy": 1}
    # If all photos are refused, the API returns an error, but the page shows the same report.
    opened.get_by_label("Choose photos").set_input_files(file(b"text", "text.jpg"))
    enrol(opened)
    assert fate(opened) == "0 faces enrolled, 1 photo refused."
    # The same person under another name.
    opened.get_by_label("Choose photos").set_input_files(file(mindy, "other.jpg"))
    opened.get_by_label("Faces of other subjects").select_option("refuse")
    enrol(opened)
    expect(opened.get_by_role("table", name="Refused photos")).to_contain_text("It resembles mindy: similarity 1.000")


def test_warnings_about_an_enrolled_face_are_shown(opened: Page, mindy: bytes) -> None:
    def warned(answer: Any) -> Any:
        answer["photos"][0]["reasons"] = [{"code": "EYES_CLOSED", "message": "Both eyes are closed"}]
        return answer

    edit(opened, "**/faces?*", warned)
    opened.get_by_label("Choose photos").set_input_files(file(mindy, "mindy.jpg"))
    enrol(opened)
    assert fate(opened) == "1 face enrolled."
    row = opened.get_by_role("table", name="Enrolled with warnings").get_by_role("row", name="mindy.jpg")
    expect(row).to_contain_text("The eyes are closed.")


def test_photos_that_were_not_sent_stay_chosen(opened: Page, service: httpx.Client, room: str, mindy: bytes) -> None:
    fail(opened, "**/faces?*", 507, "STORAGE_FULL")
    opened.get_by_label("Choose photos").set_input_files(file(mindy, "mindy_1.jpg"))
    enrol(opened, "Not all photos were sent")
    expect(opened.locator("#collection [role=alert]").first).to_contain_text("The gallery's disk is full")
    expect(opened.locator("#collection [role=status]")).to_have_text("1 photo of 1 subject: mindy")
    opened.unroute("**/faces?*")
    fail(opened, "**/faces?*", 503, "UNAVAILABLE", **{"Retry-After": "60"})
    opened.get_by_role("button", name="Enrol", exact=True).click()
    expect(opened.locator("#collection [role=status]")).to_contain_text("in 60 s")
    opened.get_by_role("button", name="Cancel").click()
    expect(opened.locator("#gallery .verdict h3")).to_have_text("Cancelled")
    assert subjects(service, room) == {}
    opened.unroute("**/faces?*")
    enrol(opened)
    assert subjects(service, room) == {"mindy": 1}


def test_a_damaged_collection_replaces_the_one_shown_before(opened: Page) -> None:
    fail(opened, "**/v1/collections/damaged", 500, "COLLECTION_UNREADABLE")
    opened.evaluate("location.hash = '#/gallery/damaged'")
    expect(opened.locator("#gallery [data-alert]")).to_contain_text("The files of this collection are damaged or miss")
    expect(opened.locator("#collection")).to_be_empty()


def test_subjects_are_paged(opened: Page, service: httpx.Client, room: str) -> None:
    contract = service.get(f"/v1/collections/{room}").json()["embedding_contract"]
    faces = [{"subject": f"person {n:02}", "values": [float(n == i) for i in range(192)]} for n in range(60)]
    body = {"contract": contract, "embeddings": faces}
    service.post(f"/v1/collections/{room}/embeddings", json=body).raise_for_status()
    opened.reload()
    first = opened.locator("#collection tbody th").first
    for start, place in ((0, "1 to 25"), (25, "26 to 50"), (50, "51 to 60")):
        expect(first).to_have_text(f"person {start:02}")
        expect(opened.get_by_text(f"{place} of 60 subjects")).to_be_visible()
        if start < 50:
            opened.get_by_role("button", name="Next").click()
    expect(opened.get_by_role("button", name="Next")).to_be_disabled()
    opened.get_by_role("button", name="Previous").click()
    expect(first).to_have_text("person 25")


def test_a_subject_is_renamed_and_merged(
    opened: Page, service: httpx.Client, room: str, mindy: bytes, jerry: bytes
) -> None:
    for subject, photo in (("anna", mindy), ("bob", jerry)):
        files = {"photo": ("photo.jpg", photo)}
        service.post(f"/v1/collections/{room}/faces", data={"subject": subject}, files=files).raise_for_status()
    opened.reload()
    opened.get_by_role("button", name="Rename bob").click()
    dialog = opened.get_by_role("dialog", name="Rename bob")
    dialog.get_by_label("New name").fill("carl")
    dialog.get_by_role("button", name="Rename", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(opened.get_by_role("row", name=re.compile("^carl"))).to_be_visible()
    opened.get_by_role("button", name="Rename carl").click()
    dialog = opened.get_by_role("dialog", name="Rename carl")
    dialog.get_by_label("New name").fill("anna")
    dialog.get_by_role("button", name="Rename", exact=True).click()
    dialog.get_by_role("button", name="Merge carl into anna").click()
    expect(opened.get_by_role("row", name=re.compile("^carl"))).to_have_count(0)
    assert subjects(service, room) == {"anna": 2}


def test_metadata_is_edited(opened: Page, service: httpx.Client, room: str, mindy: bytes) -> None:
    path = f"/v1/collections/{room}"
    files = {"photo": ("photo.jpg", mindy)}
    service.post(f"{path}/faces", data={"subject": "anna"}, files=files).raise_for_status()
    opened.reload()
    opened.get_by_role("button", name="Faces of anna").click()
    dialog = opened.get_by_role("dialog", name="anna")
    for text, metadata in (('{"team": "é"}', {"team": "é"}), ("", None)):
        dialog.get_by_label("Metadata").fill("[1]")
        dialog.get_by_role("button", name="Save metadata").click()
        expect(dialog).to_contain_text("This is not valid metadata.")
        dialog.get_by_label("Metadata").fill(text)
        # The previous round's confirmation is still there.
        with opened.expect_response(lambda response: response.request.method == "PATCH"):
            dialog.get_by_role("button", name="Save metadata").click()
        expect(opened.locator("#gallery-said")).to_have_text("The metadata was saved")
        expect(dialog.get_by_text("This is not valid metadata.")).to_have_count(0)
        assert service.get(f"{path}/subjects/anna").json()["metadata"] == metadata


def test_an_invalid_or_taken_name_is_refused_before_it_is_sent(opened: Page, room: str) -> None:
    alert = opened.locator("#gallery > [role=alert]")
    view(opened).get_by_label("Name", exact=True).fill("no spaces")
    opened.get_by_role("button", name="Create").click()
    expect(alert).to_contain_text("1 to 64 ASCII letters")
    view(opened).get_by_label("Name", exact=True).fill(room)
    opened.get_by_role("button", name="Create").click()
    expect(alert).to_contain_text("A collection with this name already exists.")
