"""Giving faces to other subjects: single ones, by renaming and by merging; and subjects without faces.

`test_changes` tests any sequence of changes.
"""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from gallery.reading.live_empty_subjects import LiveEmptySubjects
from gallery.reading.reader import Reader
from gallery.records import Reassignment
from gallery.writing.writer import Writer
from project.request_error import RequestError
from tests.gallery.sample_gallery import NAME, Storage, enrol, face, found, people, refusal, vectors, writing
from tests.gallery.sample_transfers import exported, imported

Change = Callable[[Writer], Coroutine[Any, Any, int]]


async def give(writer: Writer, ids: Sequence[str], present: str, new: str, keep: Sequence[str] = ()) -> list[str]:
    moves = {face_id: Reassignment(present, new) for face_id in ids}
    return (await writer.reassign_faces(NAME, moves, keep=keep))[0]


async def empty(location: Storage) -> list[str]:
    subjects = await Reader(location, 8).subject_ids(NAME, "", 100, "")
    return [subject for subject, has_faces in subjects.items() if not has_faces]


async def test_faces_get_another_subject_in_one_commit_and_are_found_under_it(
    writer: Writer, reader: Reader, location: Storage
) -> None:
    made = [face("anna", vector, f"photo-{number}") for number, vector in enumerate(vectors(3))]
    await enrol(writer, *made, *people(3, seed=1))
    assert await found(reader, made[0].embedding, 1) == ["anna"]
    before = await location.versions()
    moved = await give(writer, [made[0].id, made[1].id, "0" * 32], "anna", "bob")
    assert sorted(moved) == sorted([made[0].id, made[1].id])
    assert await location.versions() == before + 1
    assert [len((await location.listed())[subject]) for subject in ("anna", "bob")] == [1, 2]
    assert [await found(reader, each.embedding, 1) for each in made] == [["bob"], ["bob"], ["anna"]]
    # Repeated, as after a lost response.
    assert sorted(await give(writer, [made[0].id, made[1].id], "anna", "bob")) == sorted(moved)


async def test_a_face_that_has_another_subject_by_now_is_not_moved(writer: Writer, location: Storage) -> None:
    [made] = people(1)
    await enrol(writer, made)
    assert await give(writer, [made.id], "somebody", "bob") == []
    assert list(await location.listed()) == [made.subject]
    assert await refusal(give(writer, [made.id], made.subject, " ")) == "INVALID_SUBJECT"


async def test_a_subject_is_kept_without_faces_until_it_gets_one(writer: Writer, location: Storage) -> None:
    made = [face("anna", vector, f"photo-{number}") for number, vector in enumerate(vectors(2))]
    await enrol(writer, *made)
    await give(writer, [made[0].id], "anna", "lone", ["anna"])
    assert await empty(location) == []
    await give(writer, [made[1].id], "anna", "other", ["anna"])
    assert await empty(location) == ["anna"]
    await give(writer, [made[0].id], "lone", "anna")
    assert await empty(location) == []
    # The subject is also gone from the list of subjects without faces.
    assert await writer.delete_subjects(NAME, ["anna"]) == 1
    assert await empty(location) == []


async def test_a_subject_is_created_without_faces_once(writer: Writer, location: Storage) -> None:
    await writer.create_subject(NAME, "anna", "request")
    await writer.create_subject(NAME, "anna", "request")
    assert await refusal(writer.create_subject(NAME, "anna", "another")) == "SUBJECT_EXISTS"
    await enrol(writer, face("bob"))
    assert await refusal(writer.create_subject(NAME, "bob", "request")) == "SUBJECT_EXISTS"
    assert await empty(location) == ["anna"]
    await enrol(writer, face("anna"))
    assert await empty(location) == []


async def test_an_interrupted_creation_of_the_list_is_completed_later(writer: Writer, location: Storage) -> None:
    [faces] = location.files.glob("faces-*.lance")
    (faces.with_name(faces.name.replace("faces", "empty")) / "_versions").mkdir(parents=True)
    assert await empty(location) == []
    await writer.create_subject(NAME, "anna", "request")
    assert await empty(location) == ["anna"]


async def test_subjects_with_and_without_faces_are_listed_in_pages_and_counted(writer: Writer, reader: Reader) -> None:
    skipped = "face:[0-9]"
    assert await reader.subject_ids(NAME, "", 9, skipped) == {}
    for subject in ("bob", "dora", "eve"):
        await writer.create_subject(NAME, subject, "request")
    await enrol(writer, *(face(subject) for subject in ("anna", "dora", "face:0", "face:5", "face:9", "gina")))
    first = await reader.subject_ids(NAME, "", 3, skipped)
    assert list(first.items()) == [("anna", True), ("bob", False), ("dora", True)]
    assert await reader.subject_ids(NAME, "dora", 3, skipped) == {"eve": False, "gina": True}
    assert (await reader.totals(NAME, skipped))[1:] == (6, 5)
    await writer.reassign_faces(NAME, {}, drop=["anna", "eve"])
    assert (await reader.totals(NAME, skipped))[2] == 4


async def test_a_subject_that_gets_its_first_face_while_it_is_read_is_not_missed(
    writer: Writer, location: Storage
) -> None:
    [made] = people(1)
    await enrol(writer, made)
    await writer.create_subject(NAME, "anna", "request")
    table = await location.table()
    empty = LiveEmptySubjects(await location.connect(), table.name)

    async def read() -> list[str]:
        await table.checkout_latest()
        found = (await table.query().to_arrow())["subject"].to_pylist()
        await give(writer, [made.id], made.subject, "anna")
        return list(found)

    assert await empty.beside(read) == ([made.subject], ["anna"])


async def test_deleted_renamed_and_merged_subjects_are_not_left_without_faces(
    writer: Writer, location: Storage
) -> None:
    for subject in ("anna", "bob", "carl", "dora"):
        await writer.create_subject(NAME, subject, "request")
    await enrol(writer, *(face(subject) for subject in ("anna", "bob", "eve")))
    await writer.rename_subject(NAME, "anna", "anne")
    await writer.merge_subjects(NAME, ["bob"], "eve")
    await writer.delete_subjects(NAME, ["carl"])
    assert await empty(location) == ["dora"]


async def repeated(writer: Writer, subject: str, **options: Any) -> tuple[str, str]:
    """Enrol the same photo for a subject. Returns the id and the status of its face."""
    [answer] = await writer.enrol(NAME, "contract", [face(subject)], **options)
    return answer.face_id, answer.status


async def test_the_same_photo_is_recognised_under_both_names(location: Storage, writer: Writer) -> None:
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
    assert {subject: len(faces) for subject, faces in (await location.listed()).items()} == {"Ada": 1, "Bob": 2}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda writer: writer.rename_subject(NAME, "Ada", "Bob"), "SUBJECT_EXISTS"),
        (lambda writer: writer.rename_subject(NAME, "Ada", "Ada"), "SUBJECT_EXISTS"),
        (lambda writer: writer.rename_subject(NAME, "Eve", "Ada"), "SUBJECT_NOT_FOUND"),
        (lambda writer: writer.rename_subject(NAME, "Ada", "\u200b "), "INVALID_SUBJECT"),
        (lambda writer: writer.merge_subjects(NAME, ["Ada", "Eve"], "Bob"), "SUBJECT_NOT_FOUND"),
        (lambda writer: writer.merge_subjects(NAME, ["Ada"], "Eve"), "SUBJECT_NOT_FOUND"),
        (lambda writer: writer.merge_subjects(NAME, ["Ada", "Bob"], "Bob"), "INVALID_SUBJECT"),
    ],
)
async def test_a_refusal_changes_nothing(location: Storage, writer: Writer, change: Change, code: str) -> None:
    await enrol(writer, face("Ada"), face("Bob"))
    before = await location.versions()
    assert await refusal(change(writer)) == code
    assert await location.versions() == before


async def test_a_merge_names_the_subjects_that_are_missing(writer: Writer) -> None:
    await enrol(writer, face("Ada"))
    with pytest.raises(RequestError) as refused:
        await writer.merge_subjects(NAME, ["Eve", "Ada"], "Bob")
    assert refused.value.details == {"missing": ["Bob", "Eve"]}


async def test_tables_of_earlier_versions_recognise_photos_enrolled_from_now_on(
    location: Storage, fresh: Storage, tmp_path: Path
) -> None:
    old, new = face("Ada", source="old"), face("Ada")
    async with writing(location) as writer:
        await enrol(writer, old)
    await (await location.table()).drop_columns(["source"])
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
