"""Metadata of subjects: its bounds, and how it changes with the subject's faces."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.location import Location
from gallery.metadata_format import MAX_BYTES, MAX_DEPTH, encoded, parsed
from gallery.reading.reader import Reader
from gallery.records import Reassignment
from gallery.storage.metadata import COLUMN
from gallery.transfer.backup import backup
from gallery.writing.writer import Writer
from project.request_error import RequestError
from tests.gallery.sample_gallery import HOSTILE, KIND, NAME, Storage, enrol, face, refusal, search, vectors, writing
from tests.gallery.sample_transfers import content, exported, imported, silent

LARGE = "x" * (MAX_BYTES - len('{"é":""}'.encode()))


async def stored(reader: Reader, *subjects: str) -> list[Any]:
    """The metadata of each subject."""
    found = await reader.metadata(NAME, subjects)
    return [found.get(subject) for subject in subjects]


def nested(depth: int) -> Any:
    return {"a": [nested(depth - 2)]} if depth > 2 else {"a": [1]} if depth == 2 else {}


@pytest.mark.parametrize(
    "metadata", [{}, {"é": LARGE}, nested(MAX_DEPTH), {text: [text, 1.5, None] for text in HOSTILE[:-1]}]
)
def test_json_objects_are_kept_as_they_are(metadata: Any) -> None:
    assert parsed(encoded(metadata)) == metadata


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "1", "null", "{", "[" * 10**5),
        *('{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}', r'{"\ud800": 1}', '{"é": "' + LARGE + 'x"}'),
        json.dumps(nested(MAX_DEPTH + 1)),
    ],
    ids=lambda text: text[:12],
)
def test_other_metadata_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(text)
    assert caught.value.code == "INVALID_METADATA"


def test_a_repeated_key_is_named() -> None:
    with pytest.raises(RequestError, match=r'must not repeat a key: "\\ud800b"$'):
        parsed(r'{"a": [{"\ud800b": 1, "\ud800b": 1}]}')


async def test_it_is_set_replaced_and_removed(location: Storage, writer: Writer, reader: Reader) -> None:
    await enrol(writer, face("Ada"), face("Bob", vectors(2)[1]))
    before = await location.versions()
    assert await refusal(writer.set_metadata(NAME, "Eve", {})) == "SUBJECT_NOT_FOUND"
    await writer.set_metadata(NAME, "Ada", None)
    assert (await location.versions(), await stored(reader, "Ada")) == (before, [None])
    for metadata in ({"team": "é"}, {}, {"n": 1}):
        await writer.set_metadata(NAME, "Ada", metadata)
        assert await stored(reader, "Ada", "Bob", "Eve") == [metadata, None, None]
    before = await location.versions()
    await writer.set_metadata(NAME, "Ada", {"n": 1})
    assert await location.versions() == before
    for searching in (reader, Reader(location, 0)):
        [hits] = await search(searching, [vectors(1)[0]])
        assert [(hit.subject, hit.metadata) for hit in hits] == [("Ada", {"n": 1}), ("Bob", None)]
    await writer.set_metadata(NAME, "Ada", None)
    assert await stored(reader, "Ada") == [None]


async def test_hits_of_the_same_face_share_it(writer: Writer, reader: Reader) -> None:
    await enrol(writer, face("Ada"))
    await writer.set_metadata(NAME, "Ada", {"a": [{}] * 1000})
    [[first], [second]] = await search(reader, [vectors(1)[0]] * 2)
    assert first.metadata is second.metadata is not None


async def test_an_enrolment_sets_it_in_the_same_commit(location: Storage, writer: Writer, reader: Reader) -> None:
    """Other enrolments keep it, also those that replace all faces."""

    async def enrolled(*sources: str, **options: Any) -> list[str]:
        faces = [face("Ada", source=source) for source in sources]
        return [each.status for each in await writer.enrol(NAME, KIND.contract, faces, **options)]

    await enrolled("1", metadata={"Ada": {"n": 1}})
    assert await enrolled("2") == ["enrolled"]
    await writer.delete_faces(NAME, [face("Ada", source="1").id])
    assert await stored(reader, "Ada") == [{"n": 1}]
    before = await location.versions()
    assert await enrolled("2", "3", metadata={"Ada": {"n": 2}}) == ["already", "enrolled"]
    assert await enrolled("2", metadata={"Ada": {"n": 3}}) == ["already"]
    assert await enrolled("2", metadata={"Ada": {"n": 3}}) == ["already"]
    assert (await stored(reader, "Ada"), await location.versions()) == ([{"n": 3}], before + 2)
    assert await enrolled("4", replace=True) == ["enrolled"]
    assert await stored(reader, "Ada") == [{"n": 3}]
    assert await enrolled("4", replace=True, metadata={"Ada": {"n": 4}}) == ["already"]
    assert await stored(reader, "Ada") == [{"n": 4}]
    assert await refusal(enrolled("5", metadata={"Ada": {"n": np.inf}})) == "INVALID_METADATA"


async def test_an_interrupted_first_use_leaves_no_metadata(location: Storage, reader: Reader) -> None:
    """The column is added in a commit of its own."""
    async with writing(location) as writer:
        await enrol(writer, face("Ada"))
    await (await location.table()).add_columns(COLUMN)
    assert await stored(reader, "Ada") == [None]
    async with writing(location) as writer:
        assert await enrol(writer, face("Ada"), face("Bob")) == ["already", "enrolled"]
        await writer.set_metadata(NAME, "Ada", {"n": 1})
    assert await stored(reader, "Ada", "Bob") == [{"n": 1}, None]


async def test_it_is_deleted_with_the_last_face(writer: Writer, reader: Reader) -> None:
    await enrol(writer, face("Ada"))
    await writer.set_metadata(NAME, "Ada", {"n": 1})
    await writer.delete_faces(NAME, [face("Ada").id])
    await enrol(writer, face("Ada"))
    assert await stored(reader, "Ada") == [None]


async def test_moved_faces_get_the_metadata_of_their_subject_and_a_rename_keeps_it(
    writer: Writer, reader: Reader
) -> None:
    await enrol(writer, face("Ada"), face("Bob"), face("Eve"), face("Zoe"))
    await writer.set_metadata(NAME, "Ada", {"n": 1})
    await writer.reassign_faces(NAME, {face("Zoe").id: Reassignment("Zoe", "Ada")})
    await writer.reassign_faces(NAME, {face("Ada").id: Reassignment("Ada", "Lia")})
    assert await stored(reader, "Ada", "Lia") == [{"n": 1}, None]
    await writer.rename_subject(NAME, "Ada", "Ann")
    assert await stored(reader, "Ann") == [{"n": 1}]
    await writer.set_metadata(NAME, "Bob", {"n": 2})
    await writer.merge_subjects(NAME, ["Ann"], "Bob")
    assert await stored(reader, "Ann", "Bob") == [None, {"n": 2}]
    await writer.merge_subjects(NAME, ["Bob"], "Eve")
    assert await stored(reader, "Eve") == [None]


async def test_copies_contain_metadata_and_an_import_keeps_that_of_known_subjects(
    location: Storage, fresh: Storage, writer: Writer, tmp_path: Path
) -> None:
    await enrol(writer, face("Ada"), face("Ada", source="2"), face("Bob"))
    for subject in ("Ada", "Bob"):
        await writer.set_metadata(NAME, subject, {"from": "file"})
    await backup(location, Location(str(tmp_path / "copy")), silent)
    assert await content(Location(str(tmp_path / "copy"))) == await content(location)
    [file] = await exported(location, tmp_path / "out")
    await imported(fresh, file)
    assert await content(fresh, ["subject", "metadata"]) == await content(location, ["subject", "metadata"])
    other = Location(str(tmp_path / "other"))
    async with writing(other) as theirs:
        await enrol(theirs, face("Ada", source="3"))
    await imported(other, file)
    assert await stored(Reader(other, 8), "Ada", "Bob") == [None, {"from": "file"}]


async def test_tables_of_earlier_versions_get_the_column(location: Storage) -> None:
    async with writing(location) as writer:
        await enrol(writer, face("Ada"))
    await (await location.table()).drop_columns(["source"])
    async with writing(location) as writer:
        await writer.set_metadata(NAME, "Ada", {"n": 1})
        assert await enrol(writer, face("Ada", source="2"), face("Ada")) == ["enrolled", "already"]
        await writer.enrol(NAME, KIND.contract, [face("Ada", source="3")], metadata={"Ada": {"n": 2}})
        assert await stored(Reader(location, 8), "Ada") == [{"n": 2}]
        await writer.delete_faces(NAME, [face("Ada", source="3").id])
        assert await stored(Reader(location, 8), "Ada") == [{"n": 2}]
