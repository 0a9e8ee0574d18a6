"""Enrolling any number of photos: batches within the limits, photos read as needed, and errors."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.settings import LimitArgs
from facegraph.client import Client, Embedding, InvalidRequestError, SubjectEmbedding
from facegraph.client.enrolment import enrol, enrol_embeddings, enrol_many
from facegraph.client.errors import error_from
from facegraph.client.images import Upload
from facegraph.client.upload_batches import MAX_BYTES, MAX_PHOTOS, PhotoEntry, upload_batches
from tests.facegraph.client import ADDRESS, in_process

SIZES = {size: Upload("photo", bytes(size)) for size in (0, 10, MAX_BYTES // 3 - 2000, MAX_BYTES // 3, MAX_BYTES)}


@given(st.lists(st.sampled_from(sorted(SIZES)), max_size=200))
def test_batches_are_as_large_as_the_limits_allow(sizes: list[int]) -> None:
    entries = [PhotoEntry("anna", SIZES[size]) for size in sizes]
    found = list(upload_batches(entries))
    assert [entry for batch in found for entry in batch] == entries
    for batch, following in itertools.zip_longest(found, found[1:]):
        size = sum(each.size for each in batch)
        assert len(batch) == 1 or (len(batch) <= MAX_PHOTOS and size <= MAX_BYTES)
        assert not following or len(batch) == MAX_PHOTOS or size + following[0].size > MAX_BYTES


def test_the_estimated_size_is_an_upper_bound(tmp_path: Path) -> None:
    path = tmp_path / ('"' * 100 + "é" * 50)
    path.write_bytes(b"x" * 1000)
    call = enrol("staff", "😀" * 512, *[path] * 3)
    files = [(field, (upload.name, upload.data)) for field, upload in call.files]
    request = httpx.Request("POST", ADDRESS, data=dict(call.form or {}), files=files)
    assert len(request.read()) <= 3 * PhotoEntry("😀" * 512, call.files[0][1]).size
    assert LimitArgs().max_body > MAX_BYTES


def test_photos_are_read_as_needed_and_reported_as_they_are_done() -> None:
    read = itertools.count()

    def photos() -> Iterator[tuple[str, bytes]]:
        for number in range(130):
            next(read)
            yield "anna", f"anna-{number}".encode()

    client = in_process()
    outcomes = client.enrol_many("staff", photos())
    assert next(read) == 0
    assert next(outcomes).status == "enrolled"
    assert next(read) == MAX_PHOTOS + 2
    assert client.collection("staff").faces == MAX_PHOTOS


def test_a_service_that_accepts_less_gets_smaller_requests() -> None:
    photos = [("anna", f"anna-{number} ".encode() + b" " * 60_000) for number in range(12)]
    photos[4] = ("bob", bytes(300_000))
    outcomes = list(in_process(LimitArgs(max_image_size=2**16)).enrol_many("staff", photos))
    assert [each.photo for each in outcomes] == list(range(12))
    [refused] = [each for each in outcomes if each.status == "refused"]
    assert refused.error is not None
    found = (refused.photo, refused.subject, refused.label, refused.error.code)
    assert found == (4, "bob", "photo", "BODY_TOO_LARGE")


@pytest.mark.parametrize("status", [422, 503])
def test_an_error_of_a_whole_request_is_raised(status: int) -> None:
    call, error = enrol_many("staff", [("anna", b"1"), ("anna", b"2")]), error_from(httpx.Response(status))
    assert call is not None
    with pytest.raises(type(error)):
        call.on_error(error, False)


def test_each_request_has_its_options_and_its_own_idempotency_key() -> None:
    sent = list[httpx.Request]()

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(400)

    client = Client(ADDRESS, transport=httpx.MockTransport(keep))
    for _ in range(2):
        with pytest.raises(InvalidRequestError):
            client.enrol("staff", "anna", b"photo", replace=True)
    assert [request.url.query for request in sent] == [b"replace=true"] * 2
    assert len({request.headers["Idempotency-Key"] for request in sent}) == 2


def test_nothing_to_enrol_sends_nothing() -> None:
    assert enrol_many("staff", []) is None
    with pytest.raises(ValueError, match="no photo"):
        enrol("staff", "anna")
    several = [SubjectEmbedding("anna", Embedding(contract=each, values=(1,))) for each in "ab"]
    with pytest.raises(ValueError, match="2 contracts"):
        enrol_embeddings("staff", several)
