"""What is found, listed and seen of every change."""

import asyncio
import gc
import random
import shutil
import weakref

import numpy as np
import pytest

import gallery.face_table
import gallery.writer
from gallery.location import Location
from gallery.mirror import Mirror
from gallery.reader import Reader
from gallery.records import EmbeddingKind, NewFace, Subject
from gallery.writer import Writer
from tests.gallery.sample_gallery import (
    HOSTILE,
    KIND,
    NAME,
    SIZE,
    brute_force,
    enrol,
    face,
    found,
    in_loop,
    near,
    people,
    refusal,
    search,
    vectors,
    with_vector,
    writing,
)

EXACT, INDEXED = 8, 0
"""MiB of a reader that searches exactly, and of one that asks LanceDB."""


async def indexed(location: Location, name: str = NAME) -> set[str]:
    """The columns that have an index."""
    table = await (await location.connect()).open_table((await Reader(location, EXACT).collection(name)).table)
    return {column for index in await table.list_indices() for column in index.columns}


async def unindexed(location: Location) -> int:
    """Faces that the vectors' index does not have yet."""
    table = await (await location.connect()).open_table((await Reader(location, EXACT).collection(NAME)).table)
    statistics = await table.index_stats("vector_idx")
    assert statistics is not None
    return int(statistics.num_unindexed_rows)


@in_loop
@pytest.mark.parametrize("exact_mb", [EXACT, INDEXED])
async def test_every_change_is_seen_by_the_next_search(
    location: Location, exact_mb: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    faces = people(8)
    async with writing(location) as writer:
        reader = Reader(location, exact_mb)
        assert await found(reader, faces[0].embedding) == []

        async def upkept(number: int) -> None:
            if number % 3 == 1:
                await writer.optimise()
            if number % 3 == 2:
                await writer.clean()

        for number, each in enumerate(faces):
            await enrol(writer, each)
            assert (await found(reader, each.embedding, 1)) == [each.subject]
            await upkept(number)
            assert (await found(reader, each.embedding, 1)) == [each.subject]
        for number, each in enumerate(faces):
            await enrol(writer, with_vector(each, -each.embedding), replace=True)
            [[hit]] = await search(reader, [-each.embedding], 1)
            assert hit.subject == each.subject
            assert hit.cosine == pytest.approx(1, abs=1e-6)
            await upkept(number)
            [[hit]] = await search(reader, [-each.embedding], 1)
            assert hit.subject == each.subject
            assert hit.cosine == pytest.approx(1, abs=1e-6)
        left = {each.subject for each in faces}
        for number, each in enumerate(faces):
            await writer.delete_subjects(NAME, [each.subject])
            left.remove(each.subject)
            assert set(await found(reader, -each.embedding, 99)) == left
            await upkept(number)
            assert set(await found(reader, -each.embedding, 99)) == left


@in_loop
@pytest.mark.parametrize("seed", range(6))
async def test_exact_search_finds_what_brute_force_finds(location: Location, seed: int) -> None:
    chance = random.Random(seed)
    there: dict[str, NewFace] = {}
    async with writing(location) as writer:
        readers = [Reader(location, EXACT), Reader(location, INDEXED)]
        for step in range(14):
            size = chance.randint(1, 30)
            made = vectors(size, seed=100 * seed + step)
            subjects = [f"subject-{chance.randint(0, 20)}" for _ in range(size)]
            batch = [face(subject, vector, f"{chance.randint(0, 5)}") for subject, vector in zip(subjects, made)]  # noqa: B905
            action = chance.choice(["enrol", "enrol", "replace", "delete", "delete face", "clean"])
            if action == "enrol":
                await enrol(writer, *batch)
                there = {each.id: each for each in batch} | there
            elif action == "replace":
                await enrol(writer, *batch[:5], replace=True)
                kept = {face_id: each for face_id, each in there.items() if each.subject not in subjects[:5]}
                there = kept | {each.id: each for each in batch[:5]}
            elif action == "delete":
                await writer.delete_subjects(NAME, subjects[:3])
                there = {face_id: each for face_id, each in there.items() if each.subject not in subjects[:3]}
            elif action == "delete face" and there:
                gone = chance.choice(sorted(there))
                assert await writer.delete_face(NAME, gone) == 1
                del there[gone]
            elif action == "clean":
                await writer.clean()
            if step % 2:
                continue
            probes = list(vectors(3, seed=1000 * seed + step))
            for reader in readers:
                for count in (1, 3, 100):
                    for probe, hits in zip(probes, await search(reader, probes, count), strict=True):
                        wanted = brute_force(there.values(), probe, count)
                        assert [hit.subject for hit in hits] == [subject for subject, _ in wanted]
                        assert [hit.cosine for hit in hits] == pytest.approx([cosine for _, cosine in wanted], abs=1e-5)
                        assert all(there[hit.face_id].subject == hit.subject for hit in hits)
        assert there


@in_loop
@pytest.mark.parametrize("exact_mb", [EXACT, INDEXED])
async def test_a_subject_with_many_faces_does_not_crowd_out_the_others(location: Location, exact_mb: int) -> None:
    [many, *others] = vectors(8)
    async with writing(location) as writer:
        crowd = [face("many", near(many, number, 0.01), str(number)) for number in range(50)]
        await enrol(writer, *crowd, *(face(f"other-{number}", vector) for number, vector in enumerate(others)))
        reader = Reader(location, exact_mb)
        [hits] = await search(reader, [many], 5)
        wanted = brute_force([*crowd, *(face(f"other-{n}", vector) for n, vector in enumerate(others))], many, 5)
        assert [hit.subject for hit in hits] == [subject for subject, _ in wanted]
        assert hits[0].subject == "many"
        assert hits[0].cosine == pytest.approx(wanted[0][1], abs=1e-5)
        assert hits[0].face_id in {each.id for each in crowd}
        # And all of them, where more are asked for than there are.
        [hits] = await search(reader, [many], 1000)
        assert len(hits) == 8
        assert [hit.cosine for hit in hits] == sorted((hit.cosine for hit in hits), reverse=True)


@in_loop
@pytest.mark.parametrize("exact_mb", [EXACT, INDEXED])
async def test_each_probe_has_its_own_hits(location: Location, exact_mb: int) -> None:
    faces = people(5)
    async with writing(location) as writer:
        reader = Reader(location, exact_mb)
        assert await search(reader, [faces[0].embedding] * 3, 5) == [[], [], []]
        assert await search(reader, [], 5) == []
        await enrol(writer, *faces)
        # However long a probe is, and whatever precision it has.
        probes = [faces[3].embedding * 1000, (faces[1].embedding * 1e-3).astype(np.float32), faces[3].embedding]
        hits = await search(reader, probes, 1)
        assert [[hit.subject for hit in each] for each in hits] == [["subject-3"], ["subject-1"], ["subject-3"]]
        assert [each[0].cosine for each in hits] == pytest.approx([1, 1, 1], abs=1e-6)
        for probe in (np.ones(SIZE + 1), np.zeros(SIZE), np.full(SIZE, np.inf)):
            assert await refusal(search(reader, [faces[0].embedding, probe.astype(np.float32)])) == "INVALID_EMBEDDING"
        assert await refusal(search(reader, probes, name="nobody")) == "COLLECTION_NOT_FOUND"


@in_loop
async def test_the_index_finds_who_it_is_and_nobody_who_is_gone(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    faces = people(600)

    async def agrees(reader: Reader, there: list[NewFace]) -> None:
        asked = there[::37] + there[-3:]
        probes = [near(each.embedding, seed) for seed, each in enumerate(asked)]
        for probe, hits in zip(probes, await search(reader, probes, 3), strict=True):
            [(subject, cosine), *_] = brute_force(there, probe, 1)
            assert hits[0].subject == subject
            assert hits[0].cosine == pytest.approx(cosine, abs=1e-5)

    async with writing(location, index_rows=300) as writer:
        reader = Reader(location, INDEXED)
        await enrol(writer, *faces[:299])
        await writer.optimise()
        assert await indexed(location) == set()
        await enrol(writer, *faces[299:560])
        await writer.optimise()
        assert await indexed(location) == {"vector"}
        assert await unindexed(location) == 0
        await agrees(reader, faces[:560])
        # New ones are found before the index has them.
        await enrol(writer, *faces[560:])
        assert await unindexed(location) == 40
        await agrees(reader, faces)
        gone = faces[:7]
        await writer.delete_subjects(NAME, [each.subject for each in gone])
        turned = with_vector(faces[10], -faces[11].embedding)
        await enrol(writer, turned, replace=True)
        there = [*faces[7:10], *faces[11:], turned]
        for upkeep in (writer.optimise, writer.clean, writer.clean):
            await agrees(reader, there)
            for each in gone:
                assert each.subject not in await found(reader, each.embedding, 20)
            assert "subject-10" not in await found(reader, faces[10].embedding, 20)
            await upkeep()
            assert await indexed(location) == {"vector"}
        assert await unindexed(location) == 0
        await agrees(reader, there)
        assert len(await found(reader, faces[0].embedding, 1000)) == 593


@in_loop
async def test_keys_are_looked_up_in_an_index_of_many_faces(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    monkeypatch.setattr(gallery.maintenance, "KEYED_ROWS", 50)
    faces = people(60)
    async with writing(location) as writer:
        reader = Reader(location, EXACT)
        await enrol(writer, *faces, request=("key", "digest"))
        await writer.optimise()
        assert await indexed(location) == {"id", "subject_key", "commit", "request"}
        for _ in range(2):
            assert {entry.status for entry in await enrol(writer, *faces)} == {"already"}
            assert {entry.status for entry in await enrol(writer, *faces, request=("key", "digest"))} == {"already"}
            await writer.delete_subjects(NAME, ["subject-3"])
            assert await found(reader, faces[3].embedding, 1) != ["subject-3"]
            await enrol(writer, face("new"))
            collection = await reader.collection(NAME)
            assert [stored.face_id for stored in await reader.faces(collection, "new")] == [face("new").id]
            assert await refusal(reader.faces(collection, "subject-3")) == "SUBJECT_NOT_FOUND"
            await writer.clean()
            await enrol(writer, with_vector(face("new"), -faces[9].embedding), replace=True)
            assert await found(reader, -faces[9].embedding, 1) == ["new"]
            await writer.delete_subjects(NAME, ["new"])
            await enrol(writer, faces[3])
        assert await reader.count(collection) == 60


@in_loop
async def test_pages_follow_each_other_in_the_order_of_code_points(location: Location) -> None:
    ids = sorted({*HOSTILE, *(f"s{number}" for number in range(30)), "S", "\u00e4", "z", "\U0001f600x"})
    shuffled = ids[:]
    random.Random(1).shuffle(shuffled)
    async with writing(location) as writer:
        await enrol(writer, *(face(subject) for subject in shuffled[:20]))
        await enrol(writer, *(face(subject) for subject in shuffled[20:]), face(ids[3], source="second"))
    reader = Reader(location, EXACT)
    collection = await reader.collection(NAME)
    every = await reader.subjects(collection, "", None)
    assert [subject.id for subject in every] == ids
    assert [subject.faces for subject in every] == [2 if row == 3 else 1 for row in range(len(ids))]
    for limit in (1, 7, len(ids), 1000):
        pages: list[Subject] = []
        while page := await reader.subjects(collection, pages[-1].id if pages else "", limit):
            assert len(page) <= limit
            pages += page
        assert pages == every
    # What `after` names need not be there.
    assert await reader.subjects(collection, "s1\0", None) == [each for each in every if each.id > "s1\0"]
    assert await reader.subjects(collection, "\U0010ffff", 5) == []


def held(mirrors: list[weakref.ref[Mirror]]) -> int:
    gc.collect()
    return sum(mirror() is not None for mirror in mirrors)


@in_loop
async def test_longest_unused_mirrors_make_room(location: Location, mirrors: list[weakref.ref[Mirror]]) -> None:
    kind = EmbeddingKind("arcface", "m", KIND.contract, 512)
    names, probe = ["a", "b", "c"], vectors(1, size=512)[0]
    async with writing(location, collection=None) as writer:
        # Nearly half a MiB each.
        for name in names:
            await writer.create(name, kind, None)
            faces = [face(f"{name}-{row}", vector) for row, vector in enumerate(vectors(250, seed=1, size=512))]
            await enrol(writer, *faces, name=name)
        reader, made = Reader(location, 1), 0
        for name, new in [("a", 1), ("b", 1), ("a", 0), ("c", 1), ("a", 0), ("b", 1), ("a", 0), ("c", 1)]:
            assert (await found(reader, probe, 1, name))[0].startswith(f"{name}-")
            made += new
            assert (name, len(mirrors), held(mirrors)) == (name, made, min(made, 2))
        # Nothing of a dropped collection is kept.
        await writer.drop("a")
        await reader.collections()
        assert held(mirrors) == 1
        # Nor of one that has become too large.
        more = [face(f"more-{row}", vector) for row, vector in enumerate(vectors(300, seed=2, size=512))]
        await enrol(writer, *more, name="c")
        assert await found(reader, more[5].embedding, 1, "c") == ["more-5"]
        assert held(mirrors) == 0


@in_loop
async def test_a_collection_may_be_dropped_while_it_is_searched(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh = Mirror.refresh
    async with writing(location) as writer:
        await enrol(writer, *people(3))
        reader = Reader(location, EXACT)

        async def dropping(mirror: Mirror) -> None:
            await refresh(mirror)
            await writer.drop(NAME)
            assert await reader.collections() == []

        monkeypatch.setattr(Mirror, "refresh", dropping)
        assert await found(reader, people(3)[2].embedding, 1) == ["subject-2"]
        assert await refusal(search(reader, [people(3)[2].embedding])) == "COLLECTION_NOT_FOUND"


@in_loop
async def test_many_searches_at_once_agree(location: Location) -> None:
    faces = people(40)
    async with writing(location) as writer:
        reader = Reader(location, EXACT)
        await enrol(writer, *faces)
        hits = await asyncio.gather(*(found(reader, each.embedding, 1) for each in faces))
        assert hits == [[each.subject] for each in faces]


@in_loop
async def test_a_gallery_that_was_made_anew_is_seen(location: Location) -> None:
    assert location.folder is not None
    old, new = vectors(2)
    async with writing(location) as writer:
        await enrol(writer, face("Ada", old))
        reader = Reader(location, EXACT)
        assert await found(reader, old) == ["Ada"]
        before = await reader.collection(NAME)
    shutil.rmtree(location.folder)
    async with writing(location, collection=None) as writer:
        assert await refusal(reader.count(before)) == "COLLECTION_NOT_FOUND"
        assert await reader.collections() == []
        await writer.create(NAME, KIND, None)
        await enrol(writer, face("Cleo", old), face("Bob", new))
        assert await found(reader, old, 1) == ["Cleo"]
        # Who still has the old record asks for the collection of that name.
        assert await reader.count(before) == 2
        assert await reader.unreadable() == []


@in_loop
async def test_a_reader_may_be_there_before_the_gallery(location: Location) -> None:
    reader = Reader(location, EXACT)
    for ask in (reader.collections, reader.unreadable):
        with pytest.raises(ValueError, match="collections"):
            await ask()
    async with writing(location) as writer:
        await enrol(writer, face("Ada"))
        assert await found(reader, vectors(1)[0]) == ["Ada"]


@in_loop
async def test_a_new_writer_follows_the_old_one_under_a_reader(location: Location) -> None:
    reader, faces = Reader(location, EXACT), people(3)
    for number, each in enumerate(faces):
        writer = await Writer.open(location)
        await writer.create(NAME, KIND, None, exist_ok=True)
        await enrol(writer, each)
        assert len(await found(reader, each.embedding)) == number + 1
        await writer.close()
