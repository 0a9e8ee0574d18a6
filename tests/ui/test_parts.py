"""The page's modules: messages by code, headers, names of subjects, batches and retries."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

from api.errors import STATUSES
from tests.conftest import PROJECT

SENT = """async ([sizes, answers]) => {
    const { enrolAll } = await import("./parts/batches.js");
    const { ApiError } = await import("./parts/api.js");
    const entries = sizes.map((size, index) => ({ file: { size, name: `${index}.jpg` }, subject: "x" }));
    const sent = [], done = [], waited = [];
    const send = async (batch) => {
        sent.push(batch.length);
        const fault = answers.shift();
        if (fault) throw new ApiError({ message: "", ...fault });
        return { body: { photos: batch.map((_, photo) => ({ photo, status: "enrolled" })) } };
    };
    const pause = async (seconds) => waited.push(seconds);
    let thrown = null;
    try {
        const signal = new AbortController().signal;
        await enrolAll(entries, send, { done: (entry) => done.push(entry.file.name), waits: () => {}, signal, pause });
    } catch (error) { thrown = error.code; }
    return { sent, done: done.length, different: new Set(done).size, waited, thrown };
}"""


@pytest.fixture(scope="module")
def blank(browser: BrowserContext, service: httpx.Client) -> Iterator[Page]:
    """One page for all tests, which do not change it."""
    page = browser.new_page()
    page.goto(str(service.base_url.join("/ui/")))
    yield page
    page.close()


RAISED = re.compile(r'(?:Refused|Reason)\(\s*"([A-Z_]+)"')
# Codes of the older contracts alone do not reach the page.
OLDER = re.compile(r"api/contracts/|api/addresses.py")


def test_every_code_has_a_message_and_advice(blank: Page) -> None:
    sources = [path for room in ("api", "graphs", "imaging", "gallery") for path in (PROJECT / room).rglob("*.py")]
    raised = {
        code for path in sources if not OLDER.search(str(path)) for code in RAISED.findall(path.read_text("utf-8"))
    }
    known = blank.evaluate("async () => (await import('./parts/messages.js')).MESSAGES")
    assert raised | set(STATUSES) <= set(known)
    assert len(raised) > 15
    assert all(len(entry) == 2 and all(part.endswith(".") for part in entry) for entry in known.values())


@pytest.mark.parametrize(
    ("header", "entries"),
    [
        ("", []),
        ("total;dur=12.5, ingress;dur=3.0", [["total", "", 12.5], ["ingress", "", 3.0]]),
        ('detector;desc="mtcnn";dur=9.1', [["detector", "mtcnn", 9.1]]),
        ('a;desc="x, y;dur=1 \\"z\\"";dur=2.0, b-busy;dur=1', [["a", 'x, y;dur=1 "z"', 2.0], ["b-busy", "", 1]]),
    ],
)
def test_server_timing_is_read_as_the_service_writes_it(blank: Page, header: str, entries: list[list[Any]]) -> None:
    read = """async (header) => {
        const { timings } = await import("./parts/api.js");
        return timings(header).map(({ name, label, ms }) => [name, label, ms]);
    }"""
    assert blank.evaluate(read, header) == entries


@pytest.mark.parametrize(
    ("face", "lines"),
    [
        ({"pose": {"yaw": 12.4, "pitch": -3.2, "roll": -0.4}}, ["Looks 12° to the left, 3° down"]),
        (
            {"pose": {"yaw": -40, "pitch": 0.6, "roll": 9}},
            ["Looks 40° to the right, 1° up; head leans 9° to the right"],
        ),
        ({"pose": {"yaw": 0.4, "pitch": 0, "roll": -2}}, ["Looks straight at the camera; head leans 2° to the left"]),
        ({"eyes": {"left_open": 0.9, "right_open": 0.5}}, ["Eyes open"]),
        ({"eyes": {"left_open": 0.1, "right_open": 0.49}}, ["Eyes closed"]),
        ({"eyes": {"left_open": 0.9, "right_open": 0.1}}, ["The eye on the right is closed"]),
        ({"pose": None, "eyes": None}, []),
    ],
)
def test_attributes_are_put_into_words(blank: Page, face: dict[str, Any], lines: list[str]) -> None:
    put = """async (face) => {
        const { attributeLines } = await import("./parts/attributes.js");
        return attributeLines(face).map((line) => line.textContent);
    }"""
    assert blank.evaluate(put, face) == lines


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ([["notes.txt", "text/plain"], ["a.jpg", "image/jpeg"]], "a.jpg"),
        ([["people", ""], ["A.HEIC", ""], ["a.jpg", "image/jpeg"]], "A.HEIC"),
        ([["photo", ""]], "photo"),
        ([], None),
    ],
)
def test_the_first_photo_is_taken_even_if_the_system_does_not_know_its_type(
    blank: Page, files: list[list[str]], taken: str | None
) -> None:
    take = """async (files) => {
        const { photoOf } = await import("./parts/photo.js");
        return photoOf({ files: files.map(([name, type]) => ({ name, type })) })?.name ?? null;
    }"""
    assert blank.evaluate(take, files) == taken


@pytest.mark.parametrize(
    ("path", "folder", "file"),
    [
        ("people/ada/1.jpg", "ada", "1"),
        ("ada/one.JPG", "ada", "one"),
        ("ada_2.jpg", "", "ada"),
        ("ada lovelace (12).png", "", "ada lovelace"),
        ("ada-07.webp", "", "ada"),
        ("2024.jpg", "", "2024"),
        ("ada.b.jpg", "", "ada.b"),
    ],
)
def test_subjects_are_named_by_folder_or_by_file(blank: Page, path: str, folder: str, file: str) -> None:
    named = """async (path) => {
        const { NAMINGS } = await import("./parts/batches.js");
        const file = { path, name: path.split("/").at(-1) };
        return [NAMINGS.folder(file), NAMINGS.file(file)];
    }"""
    assert blank.evaluate(named, path) == [folder, file]


BUSY, LIMITED = {"status": 503, "code": "OVERLOADED", "retryAfter": 2}, {"status": 429, "code": "RATE_LIMITED"}
SLOW, LARGE, FULL = (
    {"status": status, "code": code}
    for status, code in ((503, "TIMEOUT"), (413, "BODY_TOO_LARGE"), (507, "STORAGE_FULL"))
)
GOOD = None


@pytest.mark.parametrize(
    ("sizes", "answers", "sent", "done", "waited", "thrown"),
    [
        ([1] * 25, [], [12, 12, 1], 25, [], None),
        ([9e6, 9e6, 1, 1], [], [1, 3], 4, [], None),
        ([1] * 3, [BUSY, LIMITED], [3, 3, 3], 3, [2, 2], None),
        ([1] * 4, [SLOW, GOOD, LARGE], [4, 2, 2, 1, 1], 4, [], None),
        ([1], [LARGE], [1], 1, [], None),
        ([1] * 14, [GOOD, FULL], [12, 2], 12, [], "STORAGE_FULL"),
        ([1], [BUSY] * 9, [1] * 8, 0, [2] * 7, "OVERLOADED"),
    ],
)
def test_photos_are_sent_in_batches_until_each_is_done(
    blank: Page,
    sizes: list[float],
    answers: list[Any],
    sent: list[int],
    done: int,
    waited: list[int],
    thrown: str | None,
) -> None:
    found = blank.evaluate(SENT, [sizes, answers])
    assert found == {"sent": sent, "done": done, "different": done, "waited": waited, "thrown": thrown}
