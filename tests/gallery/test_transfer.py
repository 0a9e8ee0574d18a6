"""Export to Parquet and import from it."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lancedb import AsyncTable

from gallery import transfer
from gallery.location import Location
from gallery.parquet_export import COLLECTION_KEY, export_gallery, read_export
from gallery.parquet_import import Imported, import_files
from gallery.reader import Reader
from gallery.tables import TIME
from gallery.transfer import TransferError, collections_at
from gallery.writer import Writer
from tests.gallery.sample_exports import COLUMNS, content, exported, filled, imported, odd, silent
from tests.gallery.sample_gallery import (
    HOSTILE,
    KIND,
    NAME,
    SIZE,
    enrol,
    face,
    in_loop,
    people,
    refusal,
    vectors,
    writing,
)

pytestmark = pytest.mark.usefixtures("small_batches")


class StopError(Exception):
    """Interrupts a transfer."""


class Stopper:
    """A report that interrupts the transfer once, after `faces` faces of what begins with `what`."""

    def __init__(self, what: str, faces: int) -> None:
        self._what, self._faces = what, faces

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what.startswith(self._what) and done >= self._faces:
            raise StopError


async def versions(location: Location) -> dict[str, int]:
    connection = await location.connect()
    return {
        name: await (await connection.open_table(name)).version() for name in (await connection.list_tables()).tables
    }


@in_loop
async def test_everything_comes_back_bit_for_bit(location: Location, fresh: Location, tmp_path: Path) -> None:
    await filled(location)
    files = await exported(location, tmp_path / "out")
    assert len(files) == 3
    done = await imported(fresh, tmp_path / "out")
    assert sorted((each.collection, each.faces, each.new) for each in done) == [
        ("empty", 0, 0),
        (NAME, 2 * len(HOSTILE), 2 * len(HOSTILE)),
        ("Ünïcode 'name'/..", 20, 20),
    ]
    old, new = await collections_at(location), await collections_at(fresh)
    assert [(each.name, each.kind, each.threshold) for each in new] == [
        (each.name, each.kind, each.threshold) for each in old
    ]
    for collection in old:
        assert await content(fresh, collection.name) == await content(location, collection.name)
    rows = await content(fresh)
    assert {(row["subject"], row["label"]) for row in rows} == {(each.subject, each.label) for each in odd()}
    assert len({row["created"] for row in rows}) == 3


@in_loop
async def test_a_search_finds_the_same_after_an_import(location: Location, fresh: Location, tmp_path: Path) -> None:
    await filled(location)
    await imported(fresh, *await exported(location, tmp_path / "out"))
    before, after = Reader(location, 8), Reader(fresh, 8)
    probes = list(vectors(5, seed=77))
    expected = await before.search(await before.collection(NAME), probes, 6)
    found = await after.search(await after.collection(NAME), probes, 6)
    assert all(len(hits) == 6 for hits in expected)
    assert [[(hit.subject, hit.face_id) for hit in hits] for hits in found] == [
        [(hit.subject, hit.face_id) for hit in hits] for hits in expected
    ]
    for hits, others in zip(found, expected, strict=True):
        assert [hit.cosine for hit in hits] == pytest.approx([hit.cosine for hit in others], abs=1e-6)


@in_loop
async def test_files_have_plain_names_and_say_what_they_hold(location: Location, tmp_path: Path) -> None:
    await filled(location)
    collections = await collections_at(location)
    files = await exported(location, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number:04}-{collection.table.removeprefix('faces-')}.parquet"
        for number, collection in enumerate(collections, 1)
    ]
    last, path = collections[-1], files[-1]
    with pq.ParquetFile(path) as file:
        assert file.schema_arrow.names == COLUMNS
        assert file.schema_arrow.field("vector").type == pa.list_(pa.float32(), 8)
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
        assert json.loads(file.schema_arrow.metadata[COLLECTION_KEY]) == {
            "name": "Ünïcode 'name'/..",
            "embedder": "facenet",
            "model": "facenet-model",
            "contract": "other contract",
            "size": 8,
            "threshold": 0.25,
            "created": last.created.isoformat(),
        }


@in_loop
async def test_chosen_collections_are_exported(location: Location, tmp_path: Path) -> None:
    await filled(location)
    files = await export_gallery(location, tmp_path / "out", ["empty", "empty"], silent)
    assert [(file.name, file.faces) for file in files] == [("empty", 0)]
    assert await refusal(export_gallery(location, tmp_path / "none", ["nobody"], silent)) == "COLLECTION_NOT_FOUND"
    assert not (tmp_path / "none").exists()


@in_loop
async def test_a_second_import_changes_nothing(location: Location, fresh: Location, tmp_path: Path) -> None:
    await filled(location)
    files = await exported(location, tmp_path / "out")
    await imported(fresh, *files)
    before = await versions(fresh)
    again = await imported(fresh, *files, *files)
    assert [each.new for each in again] == [0, 0, 0]
    assert await versions(fresh) == before


@in_loop
async def test_an_import_adds_only_what_is_missing(location: Location, tmp_path: Path) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(20))
    files = await exported(location, tmp_path / "out")
    before = await content(location)
    async with writing(location) as writer:
        await writer.delete_subjects(NAME, ["subject-3"])
        await enrol(writer, face("later", vectors(1, 99)[0]))
    assert await imported(location, *files) == [Imported(NAME, 20, 1)]
    after = await content(location)
    assert [row for row in after if row["subject"] != "later"] == before
    assert len(after) == 21


@in_loop
async def test_an_interrupted_import_is_finished_by_another(
    location: Location, fresh: Location, tmp_path: Path
) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(40))
    files = await exported(location, tmp_path / "out")
    with pytest.raises(StopError):
        await imported(fresh, *files, report=Stopper("importing", 14))
    assert len(await content(fresh)) == 14
    assert await imported(fresh, *files) == [Imported(NAME, 40, 26)]
    assert await content(fresh) == await content(location)


@in_loop
async def test_an_interrupted_export_leaves_nothing(location: Location, tmp_path: Path) -> None:
    await filled(location)
    with pytest.raises(StopError):
        await export_gallery(location, tmp_path / "out", [], Stopper(f"exporting {NAME}", 14))
    assert list((tmp_path / "out").iterdir()) == []
    assert len(await exported(location, tmp_path / "out")) == 3


@in_loop
async def test_a_file_has_no_name_before_it_is_whole(location: Location, fresh: Location, tmp_path: Path) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(20))
    seen: list[list[str]] = []

    def look(what: str, done: int, total: int | None) -> None:
        seen.append([path.name for path in (tmp_path / "out").glob("*.parquet")])
        if done == total:
            for part in (tmp_path / "out").iterdir():
                # What a kill at this moment would leave.
                (tmp_path / "left.parquet").write_bytes(part.read_bytes())

    await export_gallery(location, tmp_path / "out", [], look)
    assert len(seen) > 2
    assert not any(seen)
    with pytest.raises(TransferError, match="left"):
        await imported(fresh, tmp_path / "left.parquet")


@in_loop
async def test_only_an_empty_folder_takes_an_export(location: Location, tmp_path: Path) -> None:
    await filled(location)
    await exported(location, tmp_path / "out")
    with pytest.raises(TransferError, match="out is not empty"):
        await exported(location, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 3


@in_loop
async def test_an_export_is_one_version_while_a_writer_goes_on(location: Location, tmp_path: Path) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(30))
        before = await content(location)
        enrolled: list[bool] = []

        def meanwhile(what: str, done: int, total: int | None) -> None:
            if done == 0 and not enrolled:
                enrolled.append(True)
                in_thread(lambda: enrol(writer, *people(10, seed=3)))
                in_thread(lambda: writer.delete_subjects(NAME, ["subject-29"]))

        [file] = await export_gallery(location, tmp_path / "out", [], meanwhile)
    assert (len(before), file.faces) == (30, 30)
    found = pq.read_table(file.path)
    assert sorted(found["id"].to_pylist()) == [row["id"] for row in before]


@in_loop
async def test_an_export_begins_again_when_a_clean_up_removed_its_version(location: Location, tmp_path: Path) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(30))
        starts: list[int | None] = []

        def meanwhile(what: str, done: int, total: int | None) -> None:
            if done == 0:
                starts.append(total)
                if len(starts) == 1:
                    in_thread(lambda: writer.delete_subjects(NAME, ["subject-29"]))
                    in_thread(writer.clean)

        [file] = await export_gallery(location, tmp_path / "out", [], meanwhile)
    assert (starts, file.faces) == ([30, 29], 29)


@in_loop
async def test_a_table_that_cannot_be_read_is_read_once(location: Location) -> None:
    await filled(location)
    [collection, *_] = await collections_at(location)
    connection = await location.connect()
    asked: list[AsyncTable] = []

    async def read(table: AsyncTable) -> None:
        asked.append(table)
        raise RuntimeError("damaged")

    with pytest.raises(RuntimeError, match="damaged"):
        await transfer.read_one_version(connection, collection.table, read)
    assert len(asked) == 1
    with pytest.raises(TransferError, match="faces-none"):
        await transfer.read_one_version(connection, "faces-none", read)


def in_thread(work: Any) -> None:
    """Run a coroutine to its end from within another's."""
    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()


@in_loop
async def test_a_file_goes_into_a_collection_of_another_name(
    location: Location, fresh: Location, tmp_path: Path
) -> None:
    await filled(location)
    files = await exported(location, tmp_path / "out")
    file = next(path for path in files if read_export(path).name == NAME)
    assert await imported(fresh, file, into="copy") == [Imported("copy", 2 * len(HOSTILE), 2 * len(HOSTILE))]
    assert await content(fresh, "copy") == await content(location)
    with pytest.raises(TransferError, match="only one file"):
        await imported(fresh, tmp_path / "out", into="copy")
    assert [each.name for each in await collections_at(fresh)] == ["copy"]


@in_loop
async def test_the_writer_refuses_rows_of_another_size_or_kind(fresh: Location) -> None:
    async with writing(fresh) as writer:
        rows = pa.record_batch(
            {
                "id": ["0" * 32],
                "subject": ["s"],
                "label": [""],
                "created": pa.array([0], TIME),
                "vector": pa.array([[1.0] * (SIZE // 2)], pa.list_(pa.float32(), SIZE // 2)),
            }
        )
        assert await refusal(writer.insert(NAME, KIND.contract, rows)) == "INVALID_EMBEDDING"
        assert await refusal(writer.insert(NAME, "other", rows)) == "EMBEDDING_CONTRACT_MISMATCH"
        assert await refusal(writer.insert("nobody", KIND.contract, rows)) == "COLLECTION_NOT_FOUND"
        assert await content(fresh) == []


@in_loop
async def test_the_writer_takes_a_row_once_and_scales_what_is_not_of_length_one(fresh: Location) -> None:
    async with writing(fresh) as writer:
        rows = pa.record_batch(
            {
                "id": ["0" * 32, "1" * 32, "0" * 32],
                "subject": ["s", "t", "s"],
                "label": ["", "", ""],
                "created": pa.array([0, 1, 2], TIME),
                "vector": pa.array([[2.0] * SIZE] * 3, pa.list_(pa.float32(), SIZE)),
            }
        )
        assert await writer.insert(NAME, KIND.contract, rows) == 2
        assert await writer.insert(NAME, KIND.contract, rows.slice(1, 1)) == 0
        # A slice's embeddings are its own.
        assert await writer.insert(NAME, KIND.contract, rows.slice(2)) == 0
        assert await writer.insert(NAME, KIND.contract, rows.slice(0, 0)) == 0
    found = await content(fresh)
    assert [row["id"] for row in found] == ["0" * 32, "1" * 32]
    for row in found:
        assert np.linalg.norm(np.frombuffer(row["vector"], np.float32)) == pytest.approx(1, abs=1e-6)


@in_loop
async def test_imported_faces_are_seen_by_a_reader_that_is_there(
    location: Location, fresh: Location, tmp_path: Path
) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(20))
    files = await exported(location, tmp_path / "out")
    async with writing(fresh) as writer:
        reader = Reader(fresh, 8)
        collection = await reader.collection(NAME)
        await enrol(writer, face("first", vectors(1, 50)[0]))
        assert [hit.subject for hit in (await reader.search(collection, [vectors(1)[0]], 1))[0]] == ["first"]
        await import_files(writer, files, silent)
        assert [hit.subject for hit in (await reader.search(collection, [vectors(1)[0]], 1))[0]] == ["subject-0"]


def test_the_writer_is_the_one_that_inserts(
    monkeypatch: pytest.MonkeyPatch, location: Location, tmp_path: Path
) -> None:
    asyncio.run(filled(location))
    asyncio.run(exported(location, tmp_path / "out"))
    sizes: list[int] = []
    insert = Writer.insert

    async def counted(self: Writer, name: str, contract: str, faces: pa.RecordBatch) -> int:
        sizes.append(faces.num_rows)
        return await insert(self, name, contract, faces)

    monkeypatch.setattr(Writer, "insert", counted)
    asyncio.run(imported(Location(str(tmp_path / "fresh")), tmp_path / "out"))
    assert sum(sizes) == 2 * len(HOSTILE) + 20
    assert max(sizes) == 7
