"""The reader: searches of unusual collections, indexes, memory, sizes, and galleries that are replaced or damaged.

`test_changes` compares searches and listings after any sequence of changes with brute force.
"""

import asyncio
import gc
import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery.errors import UnopenedError
from gallery.reading.reader import Reader
from gallery.reading.size import Size, SizeCounter
from gallery.records import EmbeddingKind, NewFace
from gallery.search.code_kernels import near_to_few
from gallery.search.mirror import Mirror
from gallery.search.vnni_kernel import compiled, is_supported
from gallery.writing.writer import Writer
from tests.fakes import serve_log
from tests.gallery.sample_gallery import (
    KIND,
    NAME,
    SIZE,
    Storage,
    brute_force,
    enrol,
    face,
    found,
    near,
    people,
    refusal,
    search,
    vectors,
    writing,
)

EXACT, INDEXED = 8, 0
"""Memory in MiB with which a reader searches exactly, and with which it searches with LanceDB's indexes."""


async def indexed(location: Storage) -> set[str]:
    """The columns that have an index."""
    return {column for index in await (await location.table()).list_indices() for column in index.columns}


@pytest.mark.parametrize("exact_mb", [EXACT, INDEXED])
async def test_a_subject_with_many_faces_does_not_crowd_out_others(
    location: Storage, exact_mb: int, writer: Writer
) -> None:
    [many, *others] = vectors(8)
    faces = [face("many", near(many, number, 0.01), str(number)) for number in range(50)]
    faces += [face(f"other-{number}", vector) for number, vector in enumerate(others)]
    await enrol(writer, *faces)
    reader = Reader(location, exact_mb)
    for count, results in ((5, 5), (1000, 8)):
        [hits] = await search(reader, [many], count)
        wanted = brute_force(faces, many, count)
        assert len(hits) == results
        assert [hit.subject for hit in hits] == [subject for subject, _ in wanted]
        assert [hit.cosine for hit in hits] == pytest.approx([cosine for _, cosine in wanted], abs=1e-5)


@pytest.mark.parametrize("exact_mb", [EXACT, INDEXED])
async def test_each_probe_gets_its_own_hits(location: Storage, exact_mb: int, writer: Writer) -> None:
    faces = people(5)
    reader = Reader(location, exact_mb)
    assert await search(reader, [faces[0].embedding] * 3, 5) == [[], [], []]
    assert await search(reader, [], 5) == []
    await enrol(writer, *faces)
    # The length of a probe does not matter.
    probes = [faces[3].embedding * 1000, (faces[1].embedding * 1e-3).astype(np.float32), faces[3].embedding]
    hits = await search(reader, probes, 1)
    assert [[hit.subject for hit in each] for each in hits] == [["subject-3"], ["subject-1"], ["subject-3"]]
    assert [each[0].cosine for each in hits] == pytest.approx([1, 1, 1], abs=1e-6)
    assert await refusal(search(reader, [faces[0].embedding, np.ones(SIZE + 1, np.float32)])) == "INVALID_EMBEDDING"
    assert await refusal(search(reader, probes, name="nobody")) == "COLLECTION_NOT_FOUND"
    assert await refusal(reader.find(NAME, "other", probes, 1)) == "EMBEDDING_CONTRACT_MISMATCH"


@pytest.mark.usefixtures("early_optimisation")
async def test_the_vector_index_finds_enrolled_subjects_and_no_deleted_ones(location: Storage) -> None:
    faces = people(600)

    async def agrees(reader: Reader, there: list[NewFace]) -> None:
        asked = there[::37] + there[-3:]
        probes = [near(each.embedding, seed) for seed, each in enumerate(asked)]
        for probe, hits in zip(probes, await search(reader, probes, 3), strict=True):
            [(subject, cosine)] = brute_force(there, probe, 1)
            assert hits[0].subject == subject
            assert hits[0].cosine == pytest.approx(cosine, abs=1e-5)

    async with writing(location, index_rows=300) as writer:
        reader = Reader(location, INDEXED)
        await enrol(writer, *faces[:299])
        await writer.optimise()
        assert await indexed(location) == set()
        await enrol(writer, *faces[299:560])
        await writer.optimise()
        assert (await indexed(location), await location.unindexed()) == ({"vector"}, 0)
        await agrees(reader, faces[:560])
        # New faces are found before they are in the index.
        await enrol(writer, *faces[560:])
        assert await location.unindexed() == 40
        await agrees(reader, faces)
        gone = faces[:7]
        await writer.delete_subjects(NAME, [each.subject for each in gone])
        turned = replace(faces[10], embedding=-faces[11].embedding)
        await enrol(writer, turned, replace=True)
        there = [*faces[7:10], *faces[11:], turned]
        for maintain in (writer.optimise, writer.clean, writer.clean):
            await agrees(reader, there)
            for each in gone:
                assert each.subject not in await found(reader, each.embedding, 20)
            assert "subject-10" not in await found(reader, faces[10].embedding, 20)
            await maintain()
            assert await indexed(location) == {"vector"}
        assert await location.unindexed() == 0
        await agrees(reader, there)
        assert len(await found(reader, faces[0].embedding, 1000)) == 593


async def test_a_reader_compiles_what_searches_need_before_the_first_search(location: Storage, writer: Writer) -> None:
    await enrol(writer, *people(1))
    loops = [near_to_few, compiled] if is_supported(8) else [near_to_few]
    for each in loops:
        each.cache_clear()
    assert await Reader(location, 64).unreadable() == []
    assert [each.cache_info().currsize for each in loops] == [1] * len(loops)


@pytest.mark.usefixtures("early_indexes")
async def test_keys_of_many_faces_are_indexed(location: Storage, writer: Writer) -> None:
    for start, end, columns in ((0, 49, set()), (49, 50, {"id", "subject_key", "commit", "request"})):
        await enrol(writer, *people(50)[start:end])
        await writer.optimise()
        assert await indexed(location) == columns


async def test_least_recently_used_mirrors_make_room(location: Storage, mirrors: list[weakref.ref[Mirror]]) -> None:
    def held() -> int:
        gc.collect()
        return sum(mirror() is not None for mirror in mirrors)

    kind = EmbeddingKind("arcface", "m", KIND.contract, 512)
    probe = vectors(1, size=512)[0]
    async with writing(location, collection=None) as writer:
        # The mirror of each collection has nearly half a MiB.
        for name in "abc":
            await writer.create(name, kind, None)
            faces = [face(f"{name}-{row}", vector) for row, vector in enumerate(vectors(1000, seed=1, size=512))]
            await enrol(writer, *faces, name=name)
        reader, made = Reader(location, 1), 0
        for name, new in [("a", 1), ("b", 1), ("a", 0), ("c", 1), ("a", 0), ("b", 1), ("a", 0), ("c", 1)]:
            assert (await found(reader, probe, 1, name))[0].startswith(f"{name}-")
            made += new
            assert (name, len(mirrors), held()) == (name, made, min(made, 2))
        await writer.drop("a")
        await reader.collections()
        assert held() == 1
        # A collection that has become too large gets no mirror.
        more = [face(f"more-{row}", vector) for row, vector in enumerate(vectors(1100, seed=2, size=512))]
        await enrol(writer, *more, name="c")
        assert await found(reader, more[5].embedding, 1, "c") == ["more-5"]
        assert held() == 0


async def test_a_collection_may_be_dropped_during_a_search(
    monkeypatch: pytest.MonkeyPatch, writer: Writer, reader: Reader
) -> None:
    refresh = Mirror.refresh
    await enrol(writer, *people(3))

    async def dropping(mirror: Mirror) -> None:
        await refresh(mirror)
        await writer.drop(NAME)
        assert await reader.collections() == []

    monkeypatch.setattr(Mirror, "refresh", dropping)
    assert await found(reader, people(3)[2].embedding, 1) == ["subject-2"]
    assert await refusal(search(reader, [people(3)[2].embedding])) == "COLLECTION_NOT_FOUND"


async def test_a_gallery_that_replaced_another_is_read(location: Storage, reader: Reader) -> None:
    old, new = vectors(2)
    for ask in (reader.collections, reader.unreadable):
        with pytest.raises(UnopenedError, match="no gallery"):
            await ask()
        assert not location.files.exists()
    async with writing(location) as writer:
        await enrol(writer, face("Ada", old))
        assert await found(reader, old) == ["Ada"]
        before = await reader.collection(NAME)
    shutil.rmtree(location.files)
    async with writing(location, collection=None) as writer:
        assert await refusal(reader.faces(before, "Ada")) == "COLLECTION_NOT_FOUND"
        assert await reader.collections() == []
        await writer.create(NAME, KIND, None)
        await enrol(writer, face("Cleo", old), face("Bob", new))
        assert await found(reader, old, 1) == ["Cleo"]
        # The old record now refers to the new collection of the same name.
        assert [stored.label for stored in await reader.faces(before, "Bob")] == ["photo.jpg"]
        assert await reader.unreadable() == []


Damage = Callable[[Path], None]


def empty_manifests(folder: Path) -> None:
    for manifest in (folder / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"")


def no_data(folder: Path) -> None:
    shutil.rmtree(folder / "data")


def zeroed_data(folder: Path) -> None:
    for path in (folder / "data").iterdir():
        path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [shutil.rmtree, empty_manifests, no_data, zeroed_data])
@pytest.mark.parametrize("exact_mb", [8, 0])
async def test_a_damaged_collection_is_reported_until_it_is_repaired_and_others_are_served(
    location: Storage, tmp_path: Path, damage: Damage, exact_mb: int, mirrors: list[weakref.ref[Mirror]], writer: Writer
) -> None:
    faces, kept = people(5), tmp_path / "kept"
    await writer.create("others", KIND, None)
    for name in (NAME, "others"):
        await enrol(writer, *faces, name=name)
    reader = Reader(location, exact_mb)
    assert await found(reader, faces[1].embedding, 1, "others") == ["subject-1"]
    damaged = await reader.collection(NAME)
    folder = location.table_folder(damaged.table)
    shutil.copytree(folder, kept)
    damage(folder)
    made = len(mirrors)
    with serve_log() as log:
        for ask in (search(reader, [faces[0].embedding]), reader.faces(damaged, "subject-1")):
            assert await refusal(ask) == "COLLECTION_UNREADABLE"
        for _ in range(2):
            assert await reader.unreadable() == [NAME]
            assert await found(reader, faces[1].embedding, 1, "others") == ["subject-1"]
            assert len(await reader.collections()) == 2
    assert any(record.levelname == "ERROR" and NAME in record.getMessage() for record in log)
    with serve_log() as log:
        assert await reader.unreadable() == [NAME]
    assert log == [], "it is logged once"
    assert all(mirror() is not None for mirror in mirrors[:made]), "other collections keep their mirrors"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(kept, folder)
    assert await reader.unreadable() == []
    assert await found(reader, faces[2].embedding, 1) == ["subject-2"]
    damage(folder)
    with serve_log() as log:
        assert await refusal(reader.faces(damaged, "subject-1")) == "COLLECTION_UNREADABLE"
    assert [record.levelname for record in log if NAME in record.getMessage()] == ["WARNING", "ERROR"]


async def test_concurrent_reads_survive_changes_and_a_damaged_collection(
    location: Storage, writer: Writer, reader: Reader
) -> None:
    faces = people(8)
    await writer.create("broken", KIND, None)
    for name in (NAME, "broken"):
        await enrol(writer, *faces, name=name)
    broken = await reader.collection("broken")
    no_data(location.table_folder(broken.table))

    async def change() -> None:
        for number, each in enumerate(faces):
            await writer.create(f"more-{number}", KIND, None)
            # Reads of the registry that wait for each other share one result, which must include this collection.
            assert await reader.collection(f"more-{number}")
            await enrol(writer, face("new", -each.embedding))
            await writer.delete_subjects(NAME, ["new"])
            assert await refusal(writer.clean()) == "COLLECTION_UNREADABLE"
            await writer.drop(f"more-{number}")

    async def read(number: int) -> None:
        while True:
            assert NAME in {collection.name for collection in await reader.collections()}
            assert await found(reader, faces[number].embedding, 1) == [f"subject-{number}"]
            assert (await reader.statistics(NAME))[1].faces in (8, 9)
            assert await refusal(search(reader, [faces[0].embedding], name="broken")) == "COLLECTION_UNREADABLE"
            assert await reader.unreadable() == ["broken"]
            if changes.done():
                return

    changes = asyncio.create_task(change())
    await asyncio.gather(changes, *map(read, range(8)))


async def test_sizes_are_summed_by_model(location: Storage) -> None:
    async with writing(location, collection=None) as writer:
        for name, kind in [("guests", KIND), ("old", EmbeddingKind("facenet", "facenet", "c2", SIZE)), ("staff", KIND)]:
            await writer.create(name, kind, None)
        await enrol(writer, face("ada"), face("ada", source="another"), face("bob"), name="staff")
        await enrol(writer, face("ada"), name="guests")
        reader = Reader(location, 0)
        counter = SizeCounter(reader)
        assert await counter.measure() == {KIND.model: Size(2, 4, 3), "facenet": Size(1, 0, 0)}
        await writer.drop("old")
        await writer.delete_subjects("staff", ["ada"])
        assert await counter.measure() == {KIND.model: Size(2, 2, 2), "facenet": Size(0, 0, 0)}
        shutil.rmtree(location.table_folder((await reader.collection("guests")).table))
        assert await counter.measure() == {KIND.model: Size(1, 1, 1), "facenet": Size(0, 0, 0)}
