"""What is committed, and that all of it is there at once and only once."""

import time
from dataclasses import replace

import numpy as np
import pytest

from gallery.disk import GalleryInUseError
from gallery.location import Location
from gallery.reader import Reader
from gallery.records import StoredFace, Subject
from gallery.writer import Writer
from tests.gallery.sample_gallery import (
    HOSTILE,
    KIND,
    NAME,
    SIZE,
    enrol,
    face,
    found,
    in_loop,
    listed,
    people,
    refusal,
    statuses,
    table_folder,
    vectors,
    versions,
    writing,
)


@in_loop
async def test_a_collection_is_made_and_kept(location: Location) -> None:
    async with writing(location, collection=None) as writer:
        assert writer.collections == []
        made = await writer.create(NAME, KIND, 0.25)
        other = await writer.create("animals", replace(KIND, size=4), None)
        assert writer.collections == [other, made]
    reader = Reader(location, 8)
    assert await reader.collections() == [other, made]
    assert await reader.collection(NAME) == made
    assert (made.name, made.kind, made.threshold) == (NAME, KIND, 0.25)
    assert other.threshold is None
    assert made.created.utcoffset() is not None
    async with writing(location, collection=None) as writer:
        assert writer.collections == [other, made]


@in_loop
async def test_a_collection_that_is_there_is_made_again_only_if_it_is_the_same(location: Location) -> None:
    async with writing(location, collection=None) as writer:
        made = await writer.create(NAME, KIND, 0.25)
        await enrol(writer, face("Ada"))
        assert await refusal(writer.create(NAME, KIND, 0.25)) == "COLLECTION_EXISTS"
        assert await writer.create(NAME, KIND, 0.75, exist_ok=True) == made
        for other in (
            replace(KIND, contract="other"),
            replace(KIND, model="other"),
            replace(KIND, embedder="other"),
            replace(KIND, size=SIZE + 1),
        ):
            assert await refusal(writer.create(NAME, other, 0.25, exist_ok=True)) == "COLLECTION_EXISTS"
        assert writer.collections == [made]
    assert list(await listed(location)) == ["Ada"]


@in_loop
async def test_a_threshold_is_set_and_taken_back(location: Location) -> None:
    async with writing(location) as writer:
        reader = Reader(location, 8)
        before = await reader.collection(NAME)
        await enrol(writer, face("Ada"))
        for threshold in (0.5, -1.0, None, 0.0):
            assert await writer.set_threshold(NAME, threshold) == replace(before, threshold=threshold)
            assert await reader.collection(NAME) == replace(before, threshold=threshold)
        assert await refusal(writer.set_threshold("nobody", 0.5)) == "COLLECTION_NOT_FOUND"
    async with writing(location, collection=None) as writer:
        assert writer.collections == [replace(before, threshold=0.0)]
    assert list(await listed(location)) == ["Ada"]


@in_loop
async def test_a_dropped_collection_is_gone_and_its_name_is_free(location: Location) -> None:
    assert location.folder is not None
    async with writing(location) as writer:
        reader = Reader(location, 8)
        await enrol(writer, face("Ada"))
        assert await found(reader, vectors(1)[0]) == ["Ada"]
        old = await reader.collection(NAME)
        await writer.drop(NAME)
        assert not table_folder(location, old.table).exists()
        assert await reader.collections() == writer.collections == []
        for asked in (writer.drop(NAME), enrol(writer, face("Ada")), reader.collection(NAME)):
            assert await refusal(asked) == "COLLECTION_NOT_FOUND"
        assert await refusal(writer.delete_face(NAME, face("Ada").id)) == "COLLECTION_NOT_FOUND"
        assert await refusal(writer.delete_subjects(NAME, ["Ada"])) == "COLLECTION_NOT_FOUND"
        new = await writer.create(NAME, replace(KIND, size=4, contract="new"), 0.5)
        assert await reader.collection(NAME) == new
        assert new.table != old.table
        assert await found(reader, np.ones(4, np.float32)) == []
        await enrol(writer, face("Bob", np.ones(4, np.float32)), contract="new")
        assert await found(reader, np.ones(4, np.float32)) == ["Bob"]
    assert list(await listed(location)) == ["Bob"]


@in_loop
@pytest.mark.parametrize("name", ["it's", "x' OR 'a'='a", "back\\slash", "a\0b", 'say "x"', "\U0001f600", ".."])
async def test_dropping_a_collection_drops_no_other(location: Location, name: str) -> None:
    async with writing(location) as writer:
        await writer.create(name, KIND, None)
        await enrol(writer, face("Ada"), name=name)
        assert list(await listed(location, name)) == ["Ada"]
        await writer.drop(name)
        assert [collection.name for collection in writer.collections] == [NAME]
        assert [collection.name for collection in await Reader(location, 8).collections()] == [NAME]


@in_loop
async def test_a_face_is_enrolled_once(location: Location) -> None:
    first, second, bob = vectors(3)
    async with writing(location) as writer:
        [one, two] = await enrol(writer, face("Ada", first, "1"), face("Ada", second, "2"))
        assert [(one.face_id, one.subject, one.status), two.status] == [
            (face("Ada", first, "1").id, "Ada", "enrolled"),
            "enrolled",
        ]
        before = await versions(location)
        # What is there stays as it is, whatever is sent with it.
        assert await statuses(writer, face("Ada", bob, "1")) == ["already"]
        assert await versions(location) == before
        assert await statuses(writer, face("Ada", bob, "1"), face("Bob", bob)) == ["already", "enrolled"]
        reader = Reader(location, 8)
        assert (await found(reader, first))[0] == "Ada"
        assert (await found(reader, bob))[0] == "Bob"
        assert await enrol(writer) == []
    every = await listed(location)
    assert {subject: len(faces) for subject, faces in every.items()} == {"Ada": 2, "Bob": 1}
    assert {stored.label for stored in every["Ada"]} == {"1.jpg", "2.jpg"}


@in_loop
async def test_a_face_twice_in_one_request_is_one_face(location: Location) -> None:
    async with writing(location) as writer:
        entries = await enrol(writer, face("Ada"), face("Bob"), face("Ada"))
        assert [(entry.subject, entry.status) for entry in entries] == [
            ("Ada", "enrolled"),
            ("Bob", "enrolled"),
            ("Ada", "already"),
        ]
    assert {subject: len(faces) for subject, faces in (await listed(location)).items()} == {"Ada": 1, "Bob": 1}


@in_loop
async def test_a_request_is_one_commit(location: Location) -> None:
    async with writing(location) as writer:
        await enrol(writer, face("Ada", source="old"), face("Ada", source="older"), face("Bob"))
        before = await versions(location)
        await enrol(writer, *people(5))
        assert await versions(location) == before + 1
        await enrol(writer, face("Ada", source="new"), face("Cleo"), replace=True)
        assert await versions(location) == before + 2
        assert await writer.delete_subjects(NAME, ["Ada", "Bob", "Cleo"]) == 3
        assert await versions(location) == before + 3
        assert await writer.delete_subjects(NAME, ["Ada", "Bob", "Cleo"]) == 0
        assert await versions(location) == before + 3


@in_loop
async def test_replacing_a_subjects_faces_leaves_the_others_alone(location: Location) -> None:
    old, older, new, bob, kept = vectors(5)
    async with writing(location) as writer:
        await enrol(writer, face("Ada", old, "1"), face("Ada", older, "2"), face("Bob", bob), face("Cleo", kept))
        reader = Reader(location, 8)
        assert (await found(reader, older, 1)) == ["Ada"]
        assert await statuses(writer, face("Ada", new, "3"), replace=True) == ["enrolled"]
        every = await listed(location)
        assert [stored.face_id for stored in every["Ada"]] == [face("Ada", source="3").id]
        assert sorted(every) == ["Ada", "Bob", "Cleo"]
        [hits] = await reader.search(await reader.collection(NAME), [new], 3)
        assert hits[0].subject == "Ada"
        assert hits[0].cosine == pytest.approx(1, abs=1e-6)
        # The same face with another embedding gets that one.
        assert await statuses(writer, face("Ada", old, "3"), replace=True) == ["already"]
        [hits] = await reader.search(await reader.collection(NAME), [old], 3)
        assert hits[0].subject == "Ada"
        assert hits[0].cosine == pytest.approx(1, abs=1e-6)
        assert await found(reader, bob, 1) == ["Bob"]
        # One of the two faces that there were, and another one.
        await enrol(writer, face("Bob", bob), face("Bob", new, "2"), replace=True)
        await enrol(writer, face("Bob", older, "2"), replace=True)
    every = await listed(location)
    assert [stored.face_id for stored in every["Bob"]] == [face("Bob", source="2").id]
    assert [stored.face_id for stored in every["Ada"]] == [face("Ada", source="3").id]
    assert [stored.face_id for stored in every["Cleo"]] == [face("Cleo").id]


@in_loop
async def test_what_is_refused_changes_nothing(location: Location) -> None:
    good, bad = face("Bob"), [np.ones(SIZE - 1), np.ones(SIZE + 1), np.zeros(SIZE), np.full(SIZE, np.nan)]
    async with writing(location) as writer:
        await enrol(writer, face("Ada"))
        before = await versions(location)
        assert await refusal(enrol(writer, good, contract="other")) == "EMBEDDING_CONTRACT_MISMATCH"
        assert await refusal(enrol(writer, good, name="nobody")) == "COLLECTION_NOT_FOUND"
        for vector in bad:
            wrong = face("Cleo", vector.astype(np.float32))
            for replacing in (False, True):
                assert await refusal(enrol(writer, good, wrong, replace=replacing)) == "INVALID_EMBEDDING"
        for subject in ("", "x" * 513, "\ud800"):
            assert await refusal(enrol(writer, good, face(subject))) == "INVALID_SUBJECT"
            assert await refusal(writer.delete_subjects(NAME, ["Ada", subject])) == "INVALID_SUBJECT"
        assert await refusal(enrol(writer, good, face("\u200b "))) == "INVALID_SUBJECT"
        # An earlier version may have enrolled it.
        assert await writer.delete_subjects(NAME, ["\u200b "]) == 0
        assert await versions(location) == before
        assert await statuses(writer, good) == ["enrolled"]
    assert sorted(await listed(location)) == ["Ada", "Bob"]


@in_loop
async def test_any_text_names_a_subject_and_deletes_only_that_one(location: Location) -> None:
    embeddings = vectors(len(HOSTILE))
    faces = [face(subject, vector, subject) for subject, vector in zip(HOSTILE, embeddings, strict=True)]
    async with writing(location) as writer:
        assert await statuses(writer, *faces) == ["enrolled"] * len(faces)
        assert await statuses(writer, *faces) == ["already"] * len(faces)
        every = await listed(location)
        assert sorted(every) == sorted(HOSTILE)
        assert all(stored.subject == subject for subject, [stored] in every.items())
        assert all(stored.label == f"{subject}.jpg" for subject, [stored] in every.items())
        reader, left = Reader(location, 8), sorted(HOSTILE)
        for subject, vector in zip(HOSTILE, embeddings, strict=True):
            collection = await reader.collection(NAME)
            assert await found(reader, vector, 1) == [subject]
            assert await writer.delete_subjects(NAME, [subject]) == 1
            left.remove(subject)
            assert [each.id for each in await reader.subjects(collection, "", None)] == left
            assert await refusal(reader.faces(collection, subject)) == "SUBJECT_NOT_FOUND"


@in_loop
async def test_subjects_are_deleted_with_all_their_faces(location: Location) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(6), face("Ada", source="1"), face("Ada", source="2"))
        before = await versions(location)
        assert await writer.delete_subjects(NAME, []) == 0
        assert await writer.delete_subjects(NAME, ["nobody"]) == 0
        assert await versions(location) == before
        assert await writer.delete_subjects(NAME, ["Ada", "subject-1", "subject-4", "nobody", "Ada"]) == 4
    assert sorted(await listed(location)) == ["subject-0", "subject-2", "subject-3", "subject-5"]


@in_loop
async def test_one_face_is_deleted(location: Location) -> None:
    first, second = vectors(2)
    async with writing(location) as writer:
        await enrol(writer, face("Ada", first, "1"), face("Ada", second, "2"), face("Bob", second))
        reader = Reader(location, 8)
        for none in ("", "nothing", "' OR 1=1 --", "x') OR ('a'='a", "\u00e9", "0" * 32):
            assert await writer.delete_face(NAME, none) == 0
        assert await writer.delete_face(NAME, face("Ada", source="2").id) == 1
        assert await writer.delete_face(NAME, face("Ada", source="2").id) == 0
        assert await found(reader, second, 1) == ["Bob"]
    every = await listed(location)
    assert {subject: [stored.face_id for stored in faces] for subject, faces in every.items()} == {
        "Ada": [face("Ada", source="1").id],
        "Bob": [face("Bob").id],
    }


@in_loop
async def test_times_and_labels_are_listed(location: Location) -> None:
    async with writing(location) as writer:
        for number in range(3):
            await enrol(writer, face("Ada", source=str(number)))
        collection = await Reader(location, 8).collection(NAME)
    reader = Reader(location, 8)
    listing: list[StoredFace] = await reader.faces(collection, "Ada")
    times = [stored.created for stored in listing]
    assert [stored.label for stored in listing] == ["0.jpg", "1.jpg", "2.jpg"]
    assert times == sorted(times)
    assert len(set(times)) == 3
    assert await reader.subjects(collection, "", None) == [Subject("Ada", 3, times[0], times[-1])]
    statistics = await reader.statistics(collection)
    assert statistics.bytes > 3 * 4 * SIZE
    assert statistics.changed.utcoffset() is not None
    assert collection.created <= times[0] <= times[-1]
    assert abs((statistics.changed - times[-1]).total_seconds()) < 30


@in_loop
async def test_the_same_request_again_changes_nothing(location: Location) -> None:
    first, second = face("Ada"), face("Bob")
    async with writing(location) as writer:
        assert await statuses(writer, first, second, request=("key", "digest")) == ["enrolled", "enrolled"]
        before = await versions(location)
        assert await statuses(writer, first, second, request=("key", "digest")) == ["already", "already"]
        for other in (enrol(writer, first, request=("key", "other")), enrol(writer, request=("key", "other"))):
            assert await refusal(other) == "IDEMPOTENCY_KEY_REUSED"
        assert await versions(location) == before
        assert await statuses(writer, face("Cleo"), request=("another key", "digest")) == ["enrolled"]
    async with writing(location) as writer:
        assert await statuses(writer, first, second, request=("key", "digest")) == ["already", "already"]
        assert await refusal(enrol(writer, face("Dan"), request=("key", "other"))) == "IDEMPOTENCY_KEY_REUSED"
    assert sorted(await listed(location)) == ["Ada", "Bob", "Cleo"]


@in_loop
async def test_repeating_a_request_does_not_bring_back_what_was_deleted_since(location: Location) -> None:
    request = ("it's a 'key'", "digest")
    async with writing(location) as writer:
        assert await statuses(writer, *people(3), request=request) == ["enrolled"] * 3
        await writer.delete_subjects(NAME, ["subject-1"])
        for replacing in (False, True):
            assert await statuses(writer, *people(3), replace=replacing, request=request) == [
                "already",
                "deleted",
                "already",
            ]
    async with writing(location) as writer:
        assert await statuses(writer, *people(3), request=request) == ["already", "deleted", "already"]
        # Without the key it is a wish of its own.
        assert await statuses(writer, *people(3)) == ["already", "enrolled", "already"]


@in_loop
async def test_there_is_one_writer(location: Location) -> None:
    async with writing(location) as writer:
        await enrol(writer, face("Ada"))
        with pytest.raises(GalleryInUseError):
            await Writer.open(location)
        began = time.monotonic()
        with pytest.raises(GalleryInUseError):
            await Writer.open(location, patience=0.3)
        assert 0.3 <= time.monotonic() - began < 2
        assert await statuses(writer, face("Bob")) == ["enrolled"]
    async with writing(location) as writer:
        assert await statuses(writer, face("Ada")) == ["already"]
