"""Any text as a client's id, against a real gallery: it is refused by its code, or found again exactly and alone."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.location import Location
from gallery.reader import Reader
from gallery.subject_ids import look_of
from gallery.writer import Writer
from tests.gallery.sample_gallery import KIND, NAME, enrol, face, found, refusal, vectors, writing

# What means something to SQL, to paths and to people is drawn often, and half a surrogate pair now and then.
ODD = st.sampled_from([*"'\"`\\%_*;-()/.\0\n\r\t ", "''", "--", "\u2028", "\u202e", "e\u0301", "\u00e9", "\U0001f600"])
CHARACTERS = ODD | st.characters(exclude_categories=["Cs"])
ANY_TEXTS = st.lists(CHARACTERS, min_size=1, max_size=8).map("".join)
TEXTS = ANY_TEXTS.filter(look_of)
IDS = st.lists(TEXTS, min_size=1, max_size=8, unique=True)
NO_IDS = st.sampled_from(["", "\ud800", "a\udfff", "\udcff'", "x" * 513])
few = settings(max_examples=8)


@asynccontextmanager
async def gallery() -> AsyncIterator[tuple[Writer, Reader]]:
    """A gallery with an empty collection, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        location = Location(folder)
        async with writing(location) as writer:
            yield writer, Reader(location, 8)


@few
@given(ids=IDS, stranger=TEXTS)
def test_an_id_is_found_exactly_and_alone(ids: list[str], stranger: str) -> None:
    async def run() -> None:
        async with gallery() as (writer, reader):
            embeddings = vectors(len(ids), seed=3)
            enrolled = await enrol(writer, *(face(each, vector) for each, vector in zip(ids, embeddings, strict=True)))
            collection = await reader.collection(NAME)
            assert [each.id for each in await reader.subjects(collection, "", None)] == sorted(ids)
            for each, vector, kept in zip(ids, embeddings, enrolled, strict=True):
                [stored] = await reader.faces(collection, each)
                assert (stored.subject, stored.face_id) == (each, kept.face_id)
                assert await found(reader, vector, 1) == [each]
            if stranger not in ids:
                assert await refusal(reader.faces(collection, stranger)) == "SUBJECT_NOT_FOUND"
                assert await writer.delete_subjects(NAME, [stranger]) == 0
            for done, each in enumerate(ids, 1):
                assert await writer.delete_subjects(NAME, [each, stranger] if stranger not in ids else [each]) == 1
                assert [left.id for left in await reader.subjects(collection, "", None)] == sorted(ids[done:])

    asyncio.run(run())


@few
@given(ids=IDS, limit=st.integers(1, 4), after=TEXTS)
def test_pages_have_every_id_once_in_order_from_any_text_on(ids: list[str], limit: int, after: str) -> None:
    async def run() -> None:
        async with gallery() as (writer, reader):
            await enrol(writer, *map(face, ids))
            collection = await reader.collection(NAME)
            page = await reader.subjects(collection, after, None)
            assert [each.id for each in page] == sorted(each for each in ids if each > after)
            turned: list[str] = []
            while page := await reader.subjects(collection, turned[-1] if turned else "", limit):
                assert len(page) <= limit
                turned += [each.id for each in page]
            assert turned == sorted(ids)

    asyncio.run(run())


@few
@given(bad=NO_IDS, good=TEXTS)
def test_what_is_no_id_is_refused_wherever_it_is_named_and_changes_nothing(bad: str, good: str) -> None:
    async def run() -> None:
        async with gallery() as (writer, reader):
            await enrol(writer, face(good))
            collection = await reader.collection(NAME)
            assert await refusal(enrol(writer, face(good, source="another"), face(bad))) == "INVALID_SUBJECT"
            assert await refusal(reader.faces(collection, bad)) == "INVALID_SUBJECT"
            assert await refusal(writer.delete_subjects(NAME, [good, bad])) == "INVALID_SUBJECT"
            assert len(await reader.faces(collection, good)) == 1

    asyncio.run(run())


@few
@given(names=IDS, face_id=TEXTS)
def test_a_collection_of_any_name_is_dropped_alone(names: list[str], face_id: str) -> None:
    async def run() -> None:
        async with gallery() as (writer, reader):
            for name in names:
                await writer.create(name, KIND, None, exist_ok=True)
            await enrol(writer, face("ada"), name=names[0])
            for done, name in enumerate(names, 1):
                assert await writer.delete_face(name, face_id) == 0
                await writer.drop(name)
                left = {*names[done:], NAME} - {name} - set(names[:done])
                assert [each.name for each in await reader.collections()] == sorted(left)

    asyncio.run(run())


@few
@given(keys=IDS)
def test_an_idempotency_key_is_only_itself(keys: list[str]) -> None:
    async def run() -> None:
        async with gallery() as (writer, _):
            for number, key in enumerate(keys):
                first = face(f"subject-{number}")
                assert [each.status for each in await enrol(writer, first, request=(key, "digest"))] == ["enrolled"]
                assert [each.status for each in await enrol(writer, first, request=(key, "digest"))] == ["already"]
            for key in keys:
                assert await refusal(enrol(writer, face("x"), request=(key, "other"))) == "IDEMPOTENCY_KEY_REUSED"

    asyncio.run(run())
