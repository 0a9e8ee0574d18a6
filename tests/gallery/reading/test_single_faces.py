"""Questions about single faces, and deleting them."""

from contextlib import suppress
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest
from lancedb import AsyncTable

from gallery.reading.reader import Reader
from gallery.records import FacePlace, Reassignment, StoredFace
from gallery.transfer.face_batches import checked_batch
from gallery.writing.writer import Writer
from project.request_error import RequestError
from tests.gallery.sample_gallery import (
    KIND,
    NAME,
    SIZE,
    Storage,
    brute_force,
    enrol,
    face,
    near,
    people,
    refusal,
    vectors,
)


async def test_faces_are_paged_in_the_order_of_their_ids(writer: Writer, reader: Reader) -> None:
    made = people(60)
    assert (await reader.faces_after(NAME, "", 5))[1] == []
    await enrol(writer, *made)
    ids = sorted(each.id for each in made)
    pages, after = list[str](), ""
    while page := (await reader.faces_after(NAME, after, 7))[1]:
        pages += [each.face_id for each in page]
        after = pages[-1]
    assert pages == ids
    assert [each.face_id for each in (await reader.faces_after(NAME, "", 1000))[1]] == ids


@pytest.mark.parametrize("first", [0, 2**112, 2**128 - 400])
async def test_pages_of_imported_ids_that_lie_close_together(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    ids = [f"{first + row:032x}" for row in range(400)]
    batch = pa.record_batch({"id": ids, "subject": ids, "vector": vectors(400).tolist()})
    await writer.insert(NAME, KIND.contract, checked_batch(batch, SIZE))
    queries = Mock(side_effect=AsyncTable.query)
    monkeypatch.setattr(AsyncTable, "query", lambda table: queries(table))
    made = Mock(side_effect=StoredFace)
    monkeypatch.setattr("gallery.reading.single_faces.StoredFace", made)
    for start, after in enumerate(["", ids[0], ids[1]]):
        _, page = await reader.faces_after(NAME, after, 10)
        assert [each.face_id for each in page] == ids[start : start + 10]
    assert made.call_count <= 3 * 10
    assert queries.call_count <= 3 * 8


async def test_faces_are_found_by_their_ids_with_their_embeddings(writer: Writer, reader: Reader) -> None:
    made = people(3)
    await enrol(writer, *made)
    wanted = [made[0].id, made[2].id, "0" * 32]
    _, found = await reader.faces_with_ids(NAME, wanted)
    assert {(each.face_id, each.subject, each.label) for each in found} == {
        (each.id, each.subject, each.label) for each in (made[0], made[2])
    }
    _, embeddings = await reader.embeddings(NAME, wanted)
    assert embeddings.keys() == {made[0].id, made[2].id}
    np.testing.assert_allclose(embeddings[made[0].id], made[0].embedding, atol=1e-6)
    assert (await reader.faces_with_ids(NAME, []))[1] == []
    assert (await reader.embeddings(NAME, []))[1] == {}


@pytest.mark.parametrize("exact_mb", [8, 0])
async def test_a_search_for_faces_finds_several_of_a_subject(
    exact_mb: int, writer: Writer, location: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.reading.reader.FIRST_SUBJECTS", 2)
    base = vectors(40, seed=3)
    made = [
        face(f"subject-{number % 10}", near(base[number % 10], number, 0.3), f"photo-{number}") for number in range(40)
    ]
    await enrol(writer, *made)
    probe = near(base[0], 99, 0.1)
    _, hits = await Reader(location, exact_mb).find_faces(NAME, KIND.contract, probe, 6, -1)
    cosines = {
        each.id: float(each.embedding @ probe / np.linalg.norm(each.embedding) / np.linalg.norm(probe)) for each in made
    }
    best = sorted(cosines, key=lambda id: -cosines[id])[:6]
    assert [hit.face.face_id for hit in hits] == best
    assert [hit.cosine for hit in hits] == pytest.approx([cosines[id] for id in best], abs=1e-5)
    _, near_hits = await Reader(location, exact_mb).find_faces(NAME, KIND.contract, probe, 6, cosines[best[2]] - 1e-4)
    assert [hit.face.face_id for hit in near_hits] == best[:3]
    assert (await Reader(location, exact_mb).find_faces(NAME, KIND.contract, probe, 6, 1))[1] == []


async def test_a_search_for_faces_finds_those_that_get_another_subject_meanwhile(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    [made] = people(1)
    await enrol(writer, made)
    find = reader.find

    async def find_and_rename(*args: Any) -> Any:
        found = await find(*args)
        with suppress(RequestError):
            await writer.rename_subject(NAME, made.subject, "other")
        return found

    monkeypatch.setattr(reader, "find", find_and_rename)
    _, [hit] = await reader.find_faces(NAME, KIND.contract, made.embedding, 5, 0.5)
    assert (hit.face.face_id, hit.face.subject) == (made.id, "other")


@pytest.mark.usefixtures("early_indexes")
@pytest.mark.parametrize("others", [3, 60])
async def test_the_most_similar_face_of_one_subject(reader: Reader, writer: Writer, others: int) -> None:
    [first, second, *_] = vectors(2, seed=1)
    own = [face("own", first, "1"), face("own", second, "2")]
    await enrol(writer, *own, *people(others))
    await writer.optimise()
    # It is not in the index yet.
    own.append(face("own", near(first, 3), "3"))
    await enrol(writer, own[2])
    _, hits = await reader.closest_faces(NAME, KIND.contract, "own", [second, own[2].embedding, people(1)[0].embedding])
    assert [hit.face_id for hit in hits[:2]] == [own[1].id, own[2].id]
    for hit, probe in zip(hits, (second, own[2].embedding, people(1)[0].embedding), strict=True):
        assert hit.cosine == pytest.approx(brute_force(own, probe, 1)[0][1], abs=1e-6)
    assert await refusal(reader.closest_faces(NAME, KIND.contract, "nobody", [first])) == "SUBJECT_NOT_FOUND"


async def test_faces_are_deleted_together_if_their_subjects_match(writer: Writer, location: Storage) -> None:
    anna, ann, bob = (face(subject) for subject in ("anna", "ann", "bob"))
    await enrol(writer, anna, ann, bob)
    assert await writer.delete_faces(NAME, [anna.id, ann.id], "an*") == {anna.id: "anna", ann.id: "ann"}
    assert list(await location.listed()) == ["anna", "bob"]
    assert await writer.delete_faces(NAME, [anna.id, bob.id, ann.id, "0" * 32]) == {anna.id: "anna", bob.id: "bob"}
    assert await writer.delete_faces(NAME, [anna.id]) == await writer.delete_faces(NAME, []) == {}
    assert await location.listed() == {}


async def test_the_place_of_a_face_is_kept_when_it_is_moved(writer: Writer, reader: Reader) -> None:
    place = FacePlace("0" * 31 + "1", (0.125, 0.25, 0.5, 0.75), 0.9375)
    placed, other = replace(face("anna"), place=place), face("bob")
    await enrol(writer, placed, other)
    await writer.rename_subject(NAME, "anna", "anne")
    await writer.reassign_faces(NAME, {placed.id: Reassignment("anne", "bob")})
    _, found = await reader.faces_with_ids(NAME, [placed.id, other.id])
    assert {each.face_id: (each.subject, each.place) for each in found} == {
        placed.id: ("bob", place),
        other.id: ("bob", None),
    }


async def test_faces_of_an_earlier_version_have_no_place(writer: Writer, reader: Reader, location: Storage) -> None:
    await enrol(writer, face("anna"))
    await (await location.table()).drop_columns(["place"])
    _, [found] = await reader.faces_after(NAME, "", 5)
    assert (found.subject, found.place) == ("anna", None)


async def test_a_subject_is_read_together_with_other_faces(writer: Writer, reader: Reader) -> None:
    own, other, third = people(3)
    await enrol(writer, own, other, third)
    await writer.create_subject(NAME, "anna", "request")
    _, faces = await reader.subject_and_faces(NAME, own.subject, [other.id, "0" * 32])
    assert {face_id: subject for face_id, (subject, _) in faces.items()} == {
        each.id: each.subject for each in (own, other)
    }
    assert faces[own.id][1] == pytest.approx(own.embedding, abs=1e-6)
    _, faces = await reader.subject_and_faces(NAME, "anna", [other.id])
    assert list(faces) == [other.id]
    assert await refusal(reader.subject_and_faces(NAME, "nobody", [other.id])) == "SUBJECT_NOT_FOUND"


async def test_what_resembles_a_face_or_the_mean_of_a_subject_is_found(writer: Writer, reader: Reader) -> None:
    one, two, three = vectors(3)
    made = [face("anna", one, "1"), face("anna", two, "2"), face("bob", one + two), face("carl", one + 0.1 * three)]
    await enrol(writer, *made)
    await writer.create_subject(NAME, "dora", "request")
    _, hits = await reader.find_like(NAME, 2, subject="anna")
    assert (hits[0].subject, round(hits[0].cosine, 5)) == ("bob", 1)
    assert [hit.subject for hit in (await reader.find_like(NAME, 2, face_id=made[0].id))[1]] == ["anna", "carl"]
    assert (await reader.find_like(NAME, 2, subject="dora"))[1] == []
    assert await refusal(reader.find_like(NAME, 2, face_id="0" * 32)) == "FACE_NOT_FOUND"
