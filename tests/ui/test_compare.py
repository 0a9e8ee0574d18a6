"""The view that compares two photos."""

import io
import re

import PIL.Image
import pytest
from playwright.sync_api import Page, Route, expect

from tests.contracts import side_by_side
from tests.ui.pages import choose, file, view


def compare(page: Page, *photos: bytes) -> None:
    choose(page, *photos)
    page.get_by_role("button", name="Compare", exact=True).click()


def verdict(page: Page) -> str:
    return page.locator("#compare .verdict h2").inner_text()


def test_two_photos_of_one_person_and_the_details_of_the_answer(page: Page, mindy: bytes, mindy_again: bytes) -> None:
    compare(page, mindy, mindy_again)
    expect(page.get_by_role("heading", name="The same person")).to_be_visible()
    similarity = page.get_by_role("meter", name="Cosine similarity")
    assert 0.42 < float(similarity.get_attribute("aria-valuenow") or 0) <= 1
    assert "needs at least 0.42, the model's own" in (similarity.get_attribute("aria-valuetext") or "")
    assert page.get_by_role("meter", name=re.compile("Liveness")).count() == 2
    for place, (width, height) in zip(
        page.locator("#compare .photo").all(), map(size, (mindy, mindy_again)), strict=True
    ):
        drawn = place.locator("svg")
        assert drawn.get_attribute("viewBox") == f"0 0 {width} {height}"
        assert (drawn.locator("rect").count(), drawn.locator("circle").count()) == (1, 5)
    crops = page.locator("#compare .crop img")
    assert [crop.evaluate("image => image.naturalWidth") for crop in crops.all()] == [112, 112]
    table = page.get_by_role("table", name="Where the time went").inner_text()
    for stage in ("Detector (retinaface)", "Liveness (crmnet)", "Embedder (arcface)", "decoding", "In all"):
        assert stage in table
    assert page.locator("#compare .facts").inner_text().split() == [
        *("Detector", "centerface", "Liveness", "fr-liveness", "Embedder", "mobilefacenet")
    ]


def size(photo: bytes) -> tuple[int, int]:
    with PIL.Image.open(io.BytesIO(photo)) as image:
        return image.size


def test_two_people_by_another_network_metric_and_threshold(page: Page, mindy: bytes, jerry: bytes) -> None:
    page.get_by_text("Options").click()
    view(page).get_by_label("Embedder", exact=True).select_option("facenet")
    view(page).get_by_label("Metric", exact=True).select_option("euclidean")
    view(page).get_by_label("Liveness", exact=True).select_option("off")
    view(page).get_by_label("Threshold", exact=True).fill("0.5")
    compare(page, mindy, jerry)
    expect(page.get_by_role("heading", name="Not the same person")).to_be_visible()
    value = page.get_by_role("meter", name="Euclidean distance").get_attribute("aria-valuetext") or ""
    assert value.endswith("needs at most 0.50, yours")
    assert page.get_by_text("Liveness was not asked.").count() == 2
    assert page.locator("#compare .crop img").first.get_attribute("width") == "160"


def test_a_file_that_is_not_a_photo_is_named_and_the_other_stays(page: Page, mindy: bytes) -> None:
    compare(page, mindy, b"this is no photo")
    alert = page.locator("#compare [role=alert]")
    expect(alert).to_contain_text("Second photo: This file is not a photo that can be read.")
    expect(alert).to_contain_text("request ID")
    assert page.get_by_text("first.jpg").count() == 1
    page.get_by_label("Replace for the second photo").set_input_files(file(mindy, "good.jpg"))
    expect(alert).to_be_empty()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", name="The same person")).to_be_visible()


def test_one_click_takes_the_most_prominent_of_several_faces(page: Page, mindy: bytes, jerry: bytes) -> None:
    compare(page, mindy, side_by_side(mindy, jerry))
    alert = page.locator("#compare [role=alert]")
    expect(alert).to_contain_text("Second photo: There are several faces in the photo.")
    page.get_by_role("button", name="Take the most prominent face").click()
    page.locator("#compare .verdict").wait_for()
    assert page.locator("#compare-faces").input_value() == "prominent"


@pytest.mark.parametrize(
    ("policy", "title", "words"),
    [
        ("report", "The same person", "but the first photo looks like a spoof. Liveness was only reported."),
        ("require", "No match: not live", "but the first photo looks like a spoof, and liveness is required."),
    ],
)
def test_a_spoof_is_explained(page: Page, mindy: bytes, policy: str, title: str, words: str) -> None:
    """The service's answer, with the liveness of the first face replaced."""

    def spoofed(route: Route) -> None:
        response = route.fetch()
        answer = response.json()
        answer["faces"][0]["liveness"] = {"live": False, "score": 0.01, "threshold": 0.5}
        answer["match"] = policy == "report"
        route.fulfill(response=response, json=answer)

    page.route("**/v1/verify*", spoofed)
    page.get_by_text("Options").click()
    view(page).get_by_label("Liveness", exact=True).select_option(policy)
    compare(page, mindy, mindy)
    expect(page.locator("#compare .verdict h2")).to_have_text(title)
    expect(page.locator("#compare .verdict p")).to_contain_text(words)


def test_a_photo_comes_by_paste_drop_and_camera(page: Page, mindy: bytes) -> None:
    give = """([selector, kind, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(bytes)], `${kind}.jpg`, { type: "image/jpeg" }));
        const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
        const made = kind === "paste" ? new ClipboardEvent(kind, options) : new DragEvent(kind, options);
        document.querySelector(selector).dispatchEvent(made);
    }"""
    first, second = page.locator("#compare .photo").all()
    page.evaluate(give, ["body", "paste", list(mindy)])
    expect(first).to_contain_text("paste.jpg")
    page.evaluate(give, ["#compare .photo:nth-of-type(2) .drop", "drop", list(mindy)])
    expect(second).to_contain_text("drop.jpg")
    page.get_by_role("button", name="Remove the second photo").click()
    page.get_by_role("button", name="Use the camera for the second photo").click()
    page.get_by_role("button", name="Take the photo").click()
    expect(second).to_contain_text("camera.jpg")


def test_without_a_camera_it_says_what_to_do(page: Page) -> None:
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.get_by_role("button", name="Use the camera for the first photo").click()
    expect(page.get_by_role("dialog")).to_contain_text("only to pages from https addresses or from localhost")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_answer_that_comes_after_another_photo_was_chosen_is_not_shown(
    page: Page, mindy: bytes, jerry: bytes
) -> None:
    held: list[Route] = []
    page.route("**/v1/verify*", lambda route: held.append(route))
    with page.expect_request("**/v1/verify*"):
        compare(page, mindy, mindy)
    page.get_by_label("Replace for the second photo").set_input_files(file(jerry, "jerry.jpg"))
    page.unroute("**/v1/verify*")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#compare .verdict h2")).to_have_text("Not the same person")
