"""A gallery in an object store: other readers, other writers, and a store that does not respond."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyarrow import fs

import gallery.location
import gallery.reading.live_gallery
from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.records import subject_key
from gallery.writing.writer import Writer
from tests.gallery.s3_server import BUCKET, S3Server, s3_server
from tests.gallery.sample_gallery import KIND, NAME, Storage, enrol, face, found, people, refusal, vectors, writing

pytestmark = pytest.mark.xdist_group("object_store")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def location(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """A location in the bucket without a gallery. Readers keep their files in a temporary folder."""
    monkeypatch.setattr(gallery.location, "ROOT", tmp_path)
    return Storage(f"s3://{BUCKET}/{uuid.uuid4().hex}", server.storage_options)


@pytest.fixture
async def other(location: Storage, writer: Writer) -> AsyncIterator[Writer]:
    """A second writer, like that of a service that replaces the first."""
    async with writing(location, collection=None) as other:
        yield other


@contextmanager
def stopped(server: S3Server) -> Iterator[None]:
    """Let the server accept connections but not respond."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def objects(server: S3Server, location: Storage) -> bytes:
    """The contents of all objects."""
    below = fs.FileSelector(location.uri.removeprefix("s3://"), recursive=True)
    paths = [info.path for info in server.files.get_file_info(below) if info.is_file]
    return b"".join(server.files.open_input_file(path).readall() for path in paths)


async def test_each_change_is_seen_by_every_reader_before_it_is_acknowledged(location: Storage, writer: Writer) -> None:
    readers = [Reader(location, 8), Reader(location, 0)]
    for each in people(5):
        await enrol(writer, each)
        assert [await found(reader, each.embedding, 1) for reader in readers] == [[each.subject]] * 2
    for each in people(4):
        await writer.delete_subjects(NAME, [each.subject])
        assert each.subject not in [name for reader in readers for name in await found(reader, each.embedding)]
    await writer.drop(NAME)
    assert [await reader.collections() for reader in readers] == [[], []]


async def test_no_object_contains_a_deleted_face_after_a_clean_up(
    server: S3Server, location: Storage, writer: Writer
) -> None:
    gone, left = face("Gone", vectors(2)[0]), face("Left", vectors(2)[1])
    await enrol(writer, gone, left)
    pieces = gone.subject.encode(), subject_key(gone.subject).encode(), gone.id.encode(), gone.embedding.tobytes()
    assert all(piece in objects(server, location) for piece in pieces)
    await writer.delete_subjects(NAME, [gone.subject])
    await writer.clean()
    assert not any(piece in objects(server, location) for piece in pieces)
    assert await found(Reader(location, 8), left.embedding, 1) == ["Left"]


async def test_requests_fail_with_a_stable_code_until_the_store_responds(
    server: S3Server, location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, each = Reader(location, 8), face("Mindy")
    await enrol(writer, each)
    assert await found(reader, each.embedding) == ["Mindy"]
    monkeypatch.setattr(gallery.reading.live_gallery, "PATIENCE_S", 0.5)
    with stopped(server):
        assert await refusal(found(reader, each.embedding)) == "UNAVAILABLE"
        waiting = asyncio.create_task(enrol(writer, face("Late", vectors(2)[1])))
        assert not (await asyncio.wait([waiting], timeout=0.5))[0]
    monkeypatch.undo()
    assert await waiting == ["enrolled"]
    assert set(await found(reader, each.embedding)) == {"Mindy", "Late"}


async def test_two_writers_lose_no_face_and_store_none_twice(location: Storage, writer: Writer, other: Writer) -> None:
    both, kept = people(4, seed=1), people(16, seed=2)
    for each in (writer, other):
        # For one of the writers, the other has already created the collection.
        await each.create("later", KIND, None, exist_ok=True)
    await asyncio.gather(*(enrol(each, one) for each in (writer, other) for one in both))
    await asyncio.gather(
        *(enrol((writer, other)[number % 2], one) for number, one in enumerate(kept)),
        writer.delete_subjects(NAME, [both[0].subject]),
        writer.clean(),
    )
    # It knows that the other has deleted the subject.
    assert await enrol(other, both[0]) == ["enrolled"]
    assert {name: len(faces) for name, faces in (await location.listed()).items()} == {
        each.subject: 1 for each in (*both, *kept)
    }


async def test_writers_follow_each_others_collections(location: Storage, writer: Writer, other: Writer) -> None:
    await writer.create("new", KIND, None)
    assert await refusal(other.create("new", KIND, None)) == "COLLECTION_EXISTS"
    await writer.drop("new")
    assert await refusal(enrol(other, face("x"), name="new")) == "COLLECTION_NOT_FOUND"
    made = await asyncio.gather(*(each.create("new", KIND, None, exist_ok=True) for each in (writer, other)))
    assert made[0] == made[1]


async def test_a_problem_of_the_store_is_reported_in_one_sentence(server: S3Server) -> None:
    def place(bucket: str = BUCKET, **options: str) -> Location:
        return Location(f"s3://{bucket}/gallery", {**server.storage_options, **options})

    problems = {
        "has no such bucket": place("nowhere"),
        "rejects the credentials": place(secret_access_key="wrong"),
        "cannot be reached": place(endpoint="http://127.0.0.1:1"),
    }
    opened = (Reader(each, 0).collections() for each in problems.values())
    assert [str(error) for error in await asyncio.gather(*opened, return_exceptions=True)] == [
        f"UNAVAILABLE: The gallery's object store {problem}" for problem in problems
    ]
