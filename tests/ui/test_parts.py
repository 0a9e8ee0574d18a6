"""The page's modules: messages by code, headers, names of subjects, batches and retries."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

from api.errors import STATUSES
from project.root import ROOT

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


RAISED = re.compile(r'(?:RequestError|Reason)\(\s*"([A-Z_]+)"')
# Codes that only the older contracts return do not reach the page.
OLDER = re.compile(r"api/contracts/|api/photo_downloads.py")


def test_every_code_has_a_message_and_advice(blank: Page) -> None:
    sources = [path for room in ("api", "graphs", "imaging", "gallery") for path in (ROOT / room).rglob("*.py")]
    raised = {code for path in sources if not OLDER.search(str(path)) for code in RAISED.findall(path.read_text())}
    known = blank.evaluate("async () => (await import('./parts/messages.js')).MESSAGES")
    assert raised | set(STATUSES) <= set(known)
    assert len(raised) > 15
    assert all(len(entry) == 2 and all(part.endswith(".") for part in entry) for entry in known.values())


def checked(blank: Page, module: str, function: str, cases: list[tuple[Any, Any]]) -> None:
    """Check that `function`, JavaScript with the module's exports as ``m``, returns the second of each case's parts."""
    call = f"async (given) => {{ const m = await import('./parts/{module}.js'); return given.map({function}); }}"
    assert blank.evaluate(call, [given for given, _ in cases]) == [found for _, found in cases]


def test_server_timing_is_read_as_the_service_writes_it(blank: Page) -> None:
    cases: list[tuple[Any, Any]] = [
        ("", []),
        ("total;dur=12.5, ingress;dur=3.0", [["total", "", 12.5], ["ingress", "", 3.0]]),
        ('detector;desc="mtcnn";dur=9.1', [["detector", "mtcnn", 9.1]]),
        ('a;desc="x, y;dur=1 \\"z\\"";dur=2.0, b-busy;dur=1', [["a", 'x, y;dur=1 "z"', 2.0], ["b-busy", "", 1]]),
    ]
    checked(blank, "api", "(each) => m.timings(each).map(({ name, label, ms }) => [name, label, ms])", cases)


def test_attributes_are_put_into_words(blank: Page) -> None:
    poses = {
        (12.4, -3.2, -0.4): "Looks 12° to the left, 3° down",
        (-40, 0.6, 9): "Looks 40° to the right, 1° up; head leans 9° to the right",
        (0.4, 0, -2): "Looks straight at the camera; head leans 2° to the left",
    }
    eyes = {(0.9, 0.5): "Eyes open", (0.1, 0.49): "Eyes closed", (0.9, 0.1): "The eye on the right is closed"}
    cases: list[tuple[Any, Any]] = [({"pose": None, "eyes": None}, [])]
    cases += [
        ({"pose": dict(zip(("yaw", "pitch", "roll"), pose, strict=True))}, [line]) for pose, line in poses.items()
    ]
    cases += [({"eyes": {"left_open": left, "right_open": right}}, [line]) for (left, right), line in eyes.items()]
    checked(blank, "attributes", "(face) => m.attributeLines(face).map((line) => line.textContent)", cases)


def test_the_first_photo_is_taken_even_if_the_system_does_not_know_its_type(blank: Page) -> None:
    cases: list[tuple[Any, Any]] = [
        ([["notes.txt", "text/plain"], ["a.jpg", "image/jpeg"]], "a.jpg"),
        ([["people", ""], ["A.HEIC", ""], ["a.jpg", "image/jpeg"]], "A.HEIC"),
        ([["photo", ""]], "photo"),
        ([], None),
    ]
    taken = "(files) => m.photoOf({ files: files.map(([name, type]) => ({ name, type })) })?.name ?? null"
    checked(blank, "photo", taken, cases)


def test_subjects_are_named_by_folder_or_by_file(blank: Page) -> None:
    cases: list[tuple[Any, Any]] = [
        ("people/ada/1.jpg", ["ada", "1"]),
        ("ada/one.JPG", ["ada", "one"]),
        ("ada_2.jpg", ["", "ada"]),
        ("ada lovelace (12).png", ["", "ada lovelace"]),
        ("ada-07.webp", ["", "ada"]),
        ("2024.jpg", ["", "2024"]),
        ("ada.b.jpg", ["", "ada.b"]),
    ]
    file = "(path) => ({ path, name: path.split('/').at(-1) })"
    checked(
        blank, "batches", f"(path) => [m.NAMINGS.folder, m.NAMINGS.file].map((each) => each(({file})(path)))", cases
    )


BUSY, LIMITED = {"status": 503, "code": "OVERLOADED", "retryAfter": 2}, {"status": 429, "code": "RATE_LIMITED"}
SLOW, LARGE = {"status": 503, "code": "TIMEOUT"}, {"status": 413, "code": "BODY_TOO_LARGE"}
GOOD, FULL = None, {"status": 507, "code": "STORAGE_FULL"}


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
    blank: Page, sizes: Any, answers: Any, sent: Any, done: int, waited: Any, thrown: str | None
) -> None:
    found = blank.evaluate(SENT, [sizes, answers])
    assert found == {"sent": sent, "done": done, "different": done, "waited": waited, "thrown": thrown}
