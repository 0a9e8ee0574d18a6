"""Renaming and merging subjects. `test_changes` tests any sequence of changes."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import (
    HOSTILE,
    NAME,
    enrol,
    face,
    folder_of,
    found,
    listed,
    people,
    refusal,
    stored_bytes,
    table_of,
    vectors,
    versions,
    writing,
)
from tests.gallery.sample_transfers import exported, imported

Change = Callable[[Writer], Coroutine[Any, Any, int]]


async def repeated(writer: Writer, subject: str, **options: Any) -> tuple[str, str]:
    """Enrol the same photo for a subject. Returns the id and the status of its face."""
    [answer] = await writer.enrol(NAME, "contract", [face(subject)], **options)
    return answer.face_id, answer.status


async def test_any_id_can_be_given_and_faces_keep_their_ids(location: Location, writer: Writer, reader: Reader) -> None:
    await enrol(writer, face("Ada"))
    [stored] = (await listed(location))["Ada"]
    before = "Ada"
    for subject in HOSTILE:
        assert await writer.rename_subject(NAME, before, subject) == 1
        assert await listed(location) == {subject: [replace(stored, subject=subject)]}
        assert await found(reader, vectors(1)[0]) == [subject]
        before = subject


async def test_the_same_photo_is_recognised_under_both_names(location: Location, writer: Writer) -> None:
    """Under the former name, it neither brings the former subject back nor takes the face from the new one."""
    key = ("key", "digest")
    ada, bob = face("Ada"), face("Bob", source="another photo")
    await enrol(writer, ada, bob, request=key)
    await writer.rename_subject(NAME, "Ada", "Eve")
    assert await repeated(writer, "Eve") == await repeated(writer, "Eve", replace=True) == (ada.id, "already")
    assert await repeated(writer, "Ada") == (ada.id, "moved")
    assert await enrol(writer, ada, bob, request=key, replace=True) == ["moved", "already"]
    again, status = await repeated(writer, "Ada", replace=True)
    assert (again == ada.id, status) == (False, "enrolled")
    assert await repeated(writer, "Ada") == (again, "already")
    assert await writer.delete_subjects(NAME, ["Ada"]) == 1
    await writer.merge_subjects(NAME, ["Eve"], "Bob")
    assert await repeated(writer, "Bob") == (ada.id, "already")
    assert await repeated(writer, "Eve") == (face("Eve").id, "enrolled")
    await writer.rename_subject(NAME, "Eve", "Ada")
    assert [await repeated(writer, subject) for subject in ("Ada", "Bob")] == [
        (face("Eve").id, "already"),
        (ada.id, "already"),
    ]
    assert {subject: len(faces) for subject, faces in (await listed(location)).items()} == {"Ada": 1, "Bob": 2}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda writer: writer.rename_subject(NAME, "Ada", "Bob"), "SUBJECT_EXISTS"),
        (lambda writer: writer.rename_subject(NAME, "Ada", "Ada"), "SUBJECT_EXISTS"),
        (lambda writer: writer.rename_subject(NAME, "Eve", "Ada"), "SUBJECT_NOT_FOUND"),
        (lambda writer: writer.rename_subject(NAME, "Ada", "\u200b "), "INVALID_SUBJECT"),
        (lambda writer: writer.rename_subject(NAME, "Ada", "x" * 513), "INVALID_SUBJECT"),
        (lambda writer: writer.rename_subject("nobody", "Ada", "Eve"), "COLLECTION_NOT_FOUND"),
        (lambda writer: writer.merge_subjects(NAME, ["Ada", "Eve"], "Bob"), "SUBJECT_NOT_FOUND"),
        (lambda writer: writer.merge_subjects(NAME, ["Ada"], "Eve"), "SUBJECT_NOT_FOUND"),
        (lambda writer: writer.merge_subjects(NAME, ["Ada", "Bob"], "Bob"), "INVALID_SUBJECT"),
    ],
)
async def test_a_refusal_changes_nothing(location: Location, writer: Writer, change: Change, code: str) -> None:
    await enrol(writer, face("Ada"), face("Bob"))
    before = await versions(location)
    assert await refusal(change(writer)) == code
    assert await versions(location) == before


async def test_a_clean_up_erases_the_former_id(location: Location, writer: Writer) -> None:
    formerly = face("formerly known as")
    await enrol(writer, formerly, *people(30))
    await writer.rename_subject(NAME, formerly.subject, "now known as")
    await writer.clean()
    files = stored_bytes(folder_of(location))
    assert b"now known as" in files
    assert formerly.subject.encode() not in files
    assert formerly.id.encode() in files


async def test_tables_of_earlier_versions_recognise_photos_enrolled_from_now_on(
    location: Location, fresh: Location, tmp_path: Path
) -> None:
    old, new = face("Ada", source="old"), face("Ada")
    async with writing(location) as writer:
        await enrol(writer, old)
    await (await table_of(location)).drop_columns(["source"])
    [file] = await exported(location, tmp_path / "old")
    assert [each.new for each in await imported(fresh, file)] == [1]
    reader = Reader(location, 8)
    assert await reader.enrolment_statuses(await reader.collection(NAME), [old, new], False) == ["already", None]
    async with writing(location) as writer:
        assert await enrol(writer, old, new) == ["already", "enrolled"]
        await writer.rename_subject(NAME, "Ada", "Eve")
        assert await repeated(writer, "Eve") == (new.id, "already")
    [file] = await exported(location, tmp_path / "new")
    assert [each.new for each in await imported(fresh, file)] == [1]
