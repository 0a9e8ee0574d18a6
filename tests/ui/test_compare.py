"""The view that compares two photos."""

import io
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import PIL.Image
from playwright.sync_api import Page, Route, expect

from tests.contracts import side_by_side
from tests.ui.pages import choose, edit, file, view


def compare(page: Page, *photos: bytes) -> None:
    choose(page, *photos)
    page.get_by_role("button", name="Compare", exact=True).click()


def test_two_photos_of_one_person_and_the_details_of_the_answer(page: Page, mindy: bytes, mindy_again: bytes) -> None:
    compare(page, mindy, mindy_again)
    expect(page.locator("#compare [aria-live=polite]").get_by_role("heading", name="The same person")).to_be_visible()
    similarity = page.get_by_role("meter", name="Cosine similarity")
    assert 0.42 < float(similarity.get_attribute("aria-valuenow") or 0) <= 1
    assert "needs at least 0.42 (model default)" in (similarity.get_attribute("aria-valuetext") or "")
    assert page.get_by_role("meter", name=re.compile("Liveness")).count() == 2
    for place, photo in zip(page.locator("#compare .photo").all(), (mindy, mindy_again), strict=True):
        drawn, (width, height) = place.locator("svg"), PIL.Image.open(io.BytesIO(photo)).size
        assert drawn.get_attribute("viewBox") == f"0 0 {width} {height}"
        assert (drawn.locator("rect").count(), drawn.locator("circle").count()) == (1, 5)
    crops = page.locator("#compare .crop img")
    assert [crop.evaluate("image => image.naturalWidth") for crop in crops.all()] == [112, 112]
    table = page.get_by_role("table", name="Where the time went").inner_text()
    stages = (
        "Detector (retinaface)",
        "Liveness (crmnet)",
        "Embedder (arcface)",
        "Head pose (pose)",
        "Open eyes (eyes)",
    )
    assert [stage for stage in (*stages, "decoding", "Total") if stage not in table] == []
    cards = ["centerface", "fr-liveness", "mobilefacenet", "fr-pose", "fr-eyes"]
    assert page.locator("#compare .facts dd").all_inner_texts() == cards
    assert page.locator("#compare").get_by_text(re.compile("^Looks ")).count() == 2
    assert page.locator("#compare").get_by_text("Eyes open", exact=True).count() == 2


def test_two_people_by_another_network_metric_and_threshold(page: Page, mindy: bytes, jerry: bytes) -> None:
    page.get_by_text("Options").click()
    view(page).get_by_label("Embedder", exact=True).select_option("facenet")
    view(page).get_by_label("Metric", exact=True).select_option("euclidean")
    view(page).get_by_label("Liveness", exact=True).select_option("off")
    view(page).get_by_label("Threshold", exact=True).fill("0.5")
    compare(page, mindy, jerry)
    expect(page.get_by_role("heading", name="Not the same person")).to_be_visible()
    value = page.get_by_role("meter", name="Euclidean distance").get_attribute("aria-valuetext") or ""
    assert value.endswith("needs at most 0.50 (your setting)")
    assert page.get_by_text("Liveness was not checked.").count() == 2
    assert page.locator("#compare .crop img").first.get_attribute("width") == "160"


def test_several_photos_are_compared_with_the_first(page: Page, mindy: bytes, mindy_again: bytes, jerry: bytes) -> None:
    others = {"again.jpg": mindy_again, "jerry.jpg": jerry, "text.jpg": b"text"}
    page.get_by_label("More photos").set_input_files([file(content, name) for name, content in others.items()])
    expect(page.locator("#compare [role=status]")).to_have_text("The first photo is missing.")
    compare(page, mindy)
    expect(page.get_by_role("heading", name="1 of 3 photos show the same person")).to_be_visible()
    rows = page.get_by_role("table", name="Compared photos").get_by_role("row").all()[1:]
    results = ("The same person", "No match", "This file cannot be read as a photo.")
    for row, name, result in zip(rows, others, results, strict=True):
        expect(row.get_by_role("rowheader")).to_have_text(name)
        expect(row).to_contain_text(result)
    choose(page, mindy, mindy_again)
    page.get_by_role("button", name="Remove extra photos").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_role("meter", name="Cosine similarity")).to_be_visible()


def test_a_file_that_is_not_a_photo_is_named_and_the_other_stays(page: Page, mindy: bytes) -> None:
    compare(page, mindy, b"this is no photo")
    alert = page.locator("#compare [role=alert]")
    expect(alert).to_contain_text("Second photo: This file cannot be read as a photo.")
    expect(alert).to_contain_text("request ID")
    assert page.get_by_text("first.jpg").count() == 1
    page.get_by_label("Replace for the second photo").set_input_files(file(mindy, "good.jpg"))
    expect(alert).to_be_empty()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", name="The same person")).to_be_visible()


def test_one_click_uses_the_most_prominent_of_several_faces(page: Page, mindy: bytes, jerry: bytes) -> None:
    compare(page, mindy, side_by_side(mindy, jerry))
    alert = page.locator("#compare [role=alert]")
    expect(alert).to_contain_text("Second photo: The photo shows several faces.")
    page.get_by_role("button", name="Use the most prominent face").click()
    page.locator("#compare .verdict").wait_for()
    assert page.locator("#compare-faces").input_value() == "prominent"


def offer(page: Page, **networks: object) -> None:
    """Open the page of a service whose /v1/models lists these networks."""
    edit(page, "**/v1/models", lambda models: models | networks)
    page.reload()
    page.locator("#compare option").first.wait_for(state="attached")


def test_attributes_are_not_requested_where_the_service_has_none(page: Page, mindy: bytes) -> None:
    offer(page, attributes={})
    with page.expect_request("**/v1/verify*") as sent:
        compare(page, mindy, mindy)
    assert "attributes" not in parse_qs(urlsplit(sent.value.url).query)
    page.locator("#compare .verdict").wait_for()
    assert page.locator("#compare .facts dd").count() == 3
    assert page.locator("#compare").get_by_text(re.compile("^(Looks|Eyes) ")).count() == 0


def test_the_liveness_network_can_be_chosen_where_there_are_several(page: Page, mindy: bytes) -> None:
    page.get_by_text("Options").click()
    choice = view(page).get_by_label("Liveness model")
    expect(choice).to_be_hidden()
    offer(page, liveness={"crmnet": {"title": "CRMNET"}, "second": {"title": "Another"}})
    page.get_by_text("Options").click()
    expect(choice).to_have_value("crmnet")
    choice.select_option("second")
    compare(page, mindy, mindy)
    # The service itself does not have this network.
    expect(page.locator("#compare [role=alert]")).to_contain_text("The service has no such liveness model.")


def test_a_spoof_is_explained(page: Page, mindy: bytes) -> None:
    policy = "report"

    def spoofed(answer: Any) -> Any:
        answer["faces"][0]["liveness"] = {"live": False, "score": 0.01, "threshold": 0.5}
        return answer | {"match": policy == "report"}

    edit(page, "**/v1/verify*", spoofed)
    page.get_by_text("Options").click()
    for policy, title, words in (
        ("report", "The same person", "but the first photo looks like a spoof. Liveness was only reported."),
        ("require", "No match: not live", "but the first photo looks like a spoof, and liveness is required."),
    ):
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
    expect(page.get_by_role("dialog")).to_contain_text("only over HTTPS and on localhost")
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
