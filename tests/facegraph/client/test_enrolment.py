"""Any number of photos: in requests within the limits, with the result of each."""

import io
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.settings import LimitArgs
from facegraph.client import Client, EnrolledPhoto, InvalidRequestError, UnavailableError
from facegraph.client.images import Upload
from facegraph.client.upload_batches import MAX_BYTES, MAX_PHOTOS, PhotoEntry, batches
from tests.facegraph.client import ADDRESS, BOTH, Asker, InProcess, Script, refusal
from tests.fakes import People, service

NAMES = ("anna", "bob", "carl", "dora")


def sizes(*lengths: int) -> list[int]:
    """How many of photos of these lengths are sent at a time."""
    found = list(batches(PhotoEntry("anna", Upload("photo", bytes(length))) for length in lengths))
    assert [len(entry.upload.data) for batch in found for entry in batch] == list(lengths)
    return [len(batch) for batch in found]


def test_a_request_has_as_many_photos_as_the_service_takes() -> None:
    assert sizes() == []
    assert sizes(*[10] * (2 * MAX_PHOTOS + 1)) == [MAX_PHOTOS, MAX_PHOTOS, 1]
    third = MAX_BYTES // 3
    assert sizes(third - 2000, third - 2000, third - 2000, third) == [3, 1]
    assert sizes(10, MAX_BYTES, 10, 10) == [1, 1, 2]


def test_what_is_counted_is_never_less_than_what_is_sent() -> None:
    script = Script(refusal(400, "INVALID_REQUEST"))
    files = [Upload('"' * 255, b"x"), Upload("é" * 100, b"y" * 1000), Upload("photo", b"")]
    entries = [PhotoEntry("😀" * 512, file) for file in files]
    with Client(ADDRESS, transport=httpx.MockTransport(script)) as client, pytest.raises(InvalidRequestError):
        list(client.enrol_many("staff", ((entry.subject, Named(entry.upload)) for entry in entries)))
    [request] = script.requests
    assert len(request.content) <= sum(entry.size for entry in entries)
    assert LimitArgs().max_body > MAX_BYTES


class Named(io.BytesIO):
    """A file that is open, with a name."""

    def __init__(self, file: Upload) -> None:
        super().__init__(file.data)
        self.name = file.name


@BOTH
def test_each_photo_is_told_in_its_place(app: Asker) -> None:
    app.put_collection("staff")
    photos = [(NAMES[n % 4], f"{NAMES[n % 4]}-{n}".encode()) for n in range(70)]
    # The last request has refused photos alone, which the service answers with an error.
    photos[5], photos[64:] = ("x", b"broken"), [("nobody", b"nobody")] * 6
    told: list[EnrolledPhoto] = app.enrol_many("staff", photos)
    assert [photo.photo for photo in told] == list(range(70))
    assert [photo.subject for photo in told] == [subject for subject, _ in photos]
    assert [n for n, photo in enumerate(told) if photo.status == "refused"] == [5, *range(64, 70)]
    assert {photo.error.code for photo in told[64:] if photo.error} == {"NO_FACE_DETECTED"}
    assert {photo.status for photo in app.enrol_many("staff", photos[:5])} == {"already"}
    assert app.collection("staff").faces == 63


def test_photos_are_read_as_they_are_needed_and_told_as_they_are_done() -> None:
    read = itertools.count()

    def photos() -> Iterator[tuple[str, bytes]]:
        for number in range(130):
            next(read)
            yield "anna", f"anna-{number}".encode()

    app = create_app(service(People().stages()))
    with Client(ADDRESS, transport=InProcess(app)) as client:
        client.put_collection("staff")
        results = client.enrol_many("staff", photos())
        assert next(read) == 0
        assert next(results).status == "enrolled"
        assert next(read) == 66
        assert client.collection("staff").faces == MAX_PHOTOS


def test_a_service_that_takes_less_gets_less() -> None:
    """MAX_IMAGE_SIZE decides how large a request may be."""
    app = create_app(service(People().stages(), LimitArgs(max_image_size=2**16)))
    photos = [("anna", f"anna-{number} ".encode() + b" " * 60_000) for number in range(12)]
    photos[4] = ("bob", bytes(300_000))
    with Client(ADDRESS, transport=InProcess(app)) as client:
        client.put_collection("staff")
        told = list(client.enrol_many("staff", photos))
    assert [photo.photo for photo in told] == list(range(12))
    assert [n for n, photo in enumerate(told) if photo.status == "refused"] == [4]
    error = told[4].error
    assert error is not None
    assert (told[4].subject, told[4].label, error.code) == ("bob", "photo", "BODY_TOO_LARGE")


@BOTH
@pytest.mark.parametrize("failure", [refusal(422, "INVALID_SUBJECT"), refusal(503, "TIMEOUT"), refusal(400, "X")])
def test_what_is_wrong_with_a_whole_request_is_an_error(
    scripted: Callable[..., tuple[Asker, Script]], failure: httpx.Response
) -> None:
    ask, script = scripted(failure, retries=0)
    with pytest.raises((InvalidRequestError, UnavailableError)):
        ask.enrol_many("staff", [("anna", b"1"), ("anna", b"2")])
    assert len(script.requests) == 1


def test_every_request_has_a_key_of_its_own(scripted: Callable[..., tuple[Asker, Script]]) -> None:
    ask, script = scripted(*[refusal(422, "NO_FACE_DETECTED", {"photos": []})] * 2)
    ask.enrol_many("staff", [("anna", b"photo")] * (MAX_PHOTOS + 1), quality="report")
    keys = {request.headers["Idempotency-Key"] for request in script.requests}
    assert len(keys) == 2
    assert [request.url.params["quality"] for request in script.requests] == ["report"] * 2


def test_nobody_is_enrolled_by_no_photos(scripted: Callable[..., tuple[Asker, Script]]) -> None:
    ask, script = scripted()
    assert ask.enrol_many("staff", []) == []
    assert script.requests == []


@BOTH
def test_subjects_are_listed_page_by_page(scripted: Callable[..., tuple[Asker, Script]]) -> None:
    def page(*ids: str, more: str | None) -> httpx.Response:
        times: dict[str, Any] = dict.fromkeys(("first_enrolled", "last_enrolled"), "2026-01-15T10:30:00Z")
        subjects = [{"id": each, "faces": 1, **times} for each in ids]
        return httpx.Response(200, content=json.dumps({"subjects": subjects, "next": more}))

    ask, script = scripted(page("a", "b/&", more="b/&"), page("c", more=None))
    assert [subject.id for subject in ask.subjects("staff", after="0")] == ["a", "b/&", "c"]
    assert [request.url.params["after"] for request in script.requests] == ["0", "b/&"]
