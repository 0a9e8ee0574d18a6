"""Export to Parquet and import from it."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lancedb import AsyncTable

from gallery import transfer
from gallery.reader import Reader
from gallery.records import EmbeddingKind, NewFace
from gallery.tables import TIME, Place
from gallery.transfer import ABOUT, Imported, TransferError, export_gallery, import_files, listed, read_export
from gallery.writer import Writer
from tests.gallery.made import HOSTILE, KIND, NAME, SIZE, enrol, face, in_loop, people, refusal, vectors, writing

COLUMNS = ["id", "subject", "label", "created", "vector"]
OTHER = EmbeddingKind("facenet", "facenet-model", "other contract", 8)


def silent(what: str, done: int, total: int | None) -> None:
    """A report to nobody."""


class StopError(Exception):
    """Interrupts a transfer."""


class Stopper:
    """A report that interrupts the transfer once, after `faces` faces of what begins with `what`."""

    def __init__(self, what: str, faces: int) -> None:
        self._what, self._faces = what, faces

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what.startswith(self._what) and done >= self._faces:
            raise StopError


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "gallery"))


@pytest.fixture
def fresh(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "fresh"))


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BATCH", 7)


def odd() -> list[NewFace]:
    """Faces whose subjects and labels are odd texts, two of each subject."""
    made = vectors(2 * len(HOSTILE), seed=5) * np.float32(3.7)
    return [
        NewFace(subject, str(number % 2), label, made[number])
        for number, (subject, label) in enumerate(zip(HOSTILE * 2, [*reversed(HOSTILE), *HOSTILE], strict=True))
    ]


async def filled(place: Place) -> None:
    """A gallery of three collections, one of them empty."""
    async with writing(place) as writer:
        for start in (0, 10, 30):
            await enrol(writer, *odd()[start : start + 20])
        await writer.create("Ünïcode 'name'/..", OTHER, 0.25)
        others = [NewFace(str(i), "s", "", vector) for i, vector in enumerate(vectors(20, 6, 8))]
        await writer.enrol("Ünïcode 'name'/..", OTHER.contract, others)
        await writer.create("empty", KIND, None)


async def content(place: Place, name: str = NAME) -> list[dict[str, Any]]:
    """Every row of a collection, vectors as their bytes."""
    collection = await Reader(place, 0).collection(name)
    table = await (await place.connect()).open_table(collection.table)
    rows = await table.query().select(COLUMNS).to_list()
    for row in rows:
        row["vector"] = np.asarray(row["vector"], np.float32).tobytes()
    return sorted(rows, key=lambda row: str(row["id"]))


async def versions(place: Place) -> dict[str, int]:
    connection = await place.connect()
    return {
        name: await (await connection.open_table(name)).version() for name in (await connection.list_tables()).tables
    }


async def imported(
    place: Place, *paths: Path, report: transfer.Report = silent, into: str | None = None
) -> list[Imported]:
    async with writing(place, collection=None) as writer:
        return await import_files(writer, paths, report, into)


async def exported(place: Place, folder: Path, *names: str) -> list[Path]:
    return [file.path for file in await export_gallery(place, folder, names, silent)]


@in_loop
async def test_everything_comes_back_bit_for_bit(place: Place, fresh: Place, tmp_path: Path) -> None:
    await filled(place)
    files = await exported(place, tmp_path / "out")
    assert len(files) == 3
    done = await imported(fresh, tmp_path / "out")
    assert sorted((each.collection, each.faces, each.new) for each in done) == [
        ("empty", 0, 0),
        (NAME, 2 * len(HOSTILE), 2 * len(HOSTILE)),
        ("Ünïcode 'name'/..", 20, 20),
    ]
    old, new = await listed(place), await listed(fresh)
    assert [(each.name, each.kind, each.threshold) for each in new] == [
        (each.name, each.kind, each.threshold) for each in old
    ]
    for collection in old:
        assert await content(fresh, collection.name) == await content(place, collection.name)
    rows = await content(fresh)
    assert {(row["subject"], row["label"]) for row in rows} == {(each.subject, each.label) for each in odd()}
    assert len({row["created"] for row in rows}) == 3


@in_loop
async def test_a_search_finds_the_same_after_an_import(place: Place, fresh: Place, tmp_path: Path) -> None:
    await filled(place)
    await imported(fresh, *await exported(place, tmp_path / "out"))
    before, after = Reader(place, 8), Reader(fresh, 8)
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
async def test_files_have_plain_names_and_say_what_they_hold(place: Place, tmp_path: Path) -> None:
    await filled(place)
    collections = await listed(place)
    files = await exported(place, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number:04}-{collection.table.removeprefix('faces-')}.parquet"
        for number, collection in enumerate(collections, 1)
    ]
    last, path = collections[-1], files[-1]
    with pq.ParquetFile(path) as file:
        assert file.schema_arrow.names == COLUMNS
        assert file.schema_arrow.field("vector").type == pa.list_(pa.float32(), 8)
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
        assert json.loads(file.schema_arrow.metadata[ABOUT]) == {
            "name": "Ünïcode 'name'/..",
            "embedder": "facenet",
            "model": "facenet-model",
            "contract": "other contract",
            "size": 8,
            "threshold": 0.25,
            "created": last.created.isoformat(),
        }


@in_loop
async def test_chosen_collections_are_exported(place: Place, tmp_path: Path) -> None:
    await filled(place)
    files = await export_gallery(place, tmp_path / "out", ["empty", "empty"], silent)
    assert [(file.name, file.faces) for file in files] == [("empty", 0)]
    assert await refusal(export_gallery(place, tmp_path / "none", ["nobody"], silent)) == "COLLECTION_NOT_FOUND"
    assert not (tmp_path / "none").exists()


@in_loop
async def test_a_second_import_changes_nothing(place: Place, fresh: Place, tmp_path: Path) -> None:
    await filled(place)
    files = await exported(place, tmp_path / "out")
    await imported(fresh, *files)
    before = await versions(fresh)
    again = await imported(fresh, *files, *files)
    assert [each.new for each in again] == [0, 0, 0]
    assert await versions(fresh) == before


@in_loop
async def test_an_import_adds_only_what_is_missing(place: Place, tmp_path: Path) -> None:
    async with writing(place) as writer:
        await enrol(writer, *people(20))
    files = await exported(place, tmp_path / "out")
    before = await content(place)
    async with writing(place) as writer:
        await writer.delete_subjects(NAME, ["subject-3"])
        await enrol(writer, face("later", vectors(1, 99)[0]))
    assert await imported(place, *files) == [Imported(NAME, 20, 1)]
    after = await content(place)
    assert [row for row in after if row["subject"] != "later"] == before
    assert len(after) == 21


@in_loop
async def test_an_interrupted_import_is_finished_by_another(place: Place, fresh: Place, tmp_path: Path) -> None:
    async with writing(place) as writer:
        await enrol(writer, *people(40))
    files = await exported(place, tmp_path / "out")
    with pytest.raises(StopError):
        await imported(fresh, *files, report=Stopper("importing", 14))
    assert len(await content(fresh)) == 14
    assert await imported(fresh, *files) == [Imported(NAME, 40, 26)]
    assert await content(fresh) == await content(place)


@in_loop
async def test_an_interrupted_export_leaves_nothing(place: Place, tmp_path: Path) -> None:
    await filled(place)
    with pytest.raises(StopError):
        await export_gallery(place, tmp_path / "out", [], Stopper(f"exporting {NAME}", 14))
    assert list((tmp_path / "out").iterdir()) == []
    assert len(await exported(place, tmp_path / "out")) == 3


@in_loop
async def test_a_file_has_no_name_before_it_is_whole(place: Place, fresh: Place, tmp_path: Path) -> None:
    async with writing(place) as writer:
        await enrol(writer, *people(20))
    seen: list[list[str]] = []

    def look(what: str, done: int, total: int | None) -> None:
        seen.append([path.name for path in (tmp_path / "out").glob("*.parquet")])
        if done == total:
            for part in (tmp_path / "out").iterdir():
                # What a kill at this moment would leave.
                (tmp_path / "left.parquet").write_bytes(part.read_bytes())

    await export_gallery(place, tmp_path / "out", [], look)
    assert len(seen) > 2
    assert not any(seen)
    with pytest.raises(TransferError, match="left"):
        await imported(fresh, tmp_path / "left.parquet")


@in_loop
async def test_only_an_empty_folder_takes_an_export(place: Place, tmp_path: Path) -> None:
    await filled(place)
    await exported(place, tmp_path / "out")
    with pytest.raises(TransferError, match="out is not empty"):
        await exported(place, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 3


@in_loop
async def test_an_export_is_one_version_while_a_writer_goes_on(place: Place, tmp_path: Path) -> None:
    async with writing(place) as writer:
        await enrol(writer, *people(30))
        before = await content(place)
        enrolled: list[bool] = []

        def meanwhile(what: str, done: int, total: int | None) -> None:
            if done == 0 and not enrolled:
                enrolled.append(True)
                in_thread(lambda: enrol(writer, *people(10, seed=3)))
                in_thread(lambda: writer.delete_subjects(NAME, ["subject-29"]))

        [file] = await export_gallery(place, tmp_path / "out", [], meanwhile)
    assert (len(before), file.faces) == (30, 30)
    found = pq.read_table(file.path)
    assert sorted(found["id"].to_pylist()) == [row["id"] for row in before]


@in_loop
async def test_an_export_begins_again_when_a_clean_up_removed_its_version(place: Place, tmp_path: Path) -> None:
    async with writing(place) as writer:
        await enrol(writer, *people(30))
        starts: list[int | None] = []

        def meanwhile(what: str, done: int, total: int | None) -> None:
            if done == 0:
                starts.append(total)
                if len(starts) == 1:
                    in_thread(lambda: writer.delete_subjects(NAME, ["subject-29"]))
                    in_thread(writer.clean)

        [file] = await export_gallery(place, tmp_path / "out", [], meanwhile)
    assert (starts, file.faces) == ([30, 29], 29)


@in_loop
async def test_a_table_that_cannot_be_read_is_read_once(place: Place) -> None:
    await filled(place)
    [collection, *_] = await listed(place)
    connection = await place.connect()
    asked: list[AsyncTable] = []

    async def read(table: AsyncTable) -> None:
        asked.append(table)
        raise RuntimeError("damaged")

    with pytest.raises(RuntimeError, match="damaged"):
        await transfer.one_version(connection, collection.table, read)
    assert len(asked) == 1
    with pytest.raises(TransferError, match="faces-none"):
        await transfer.one_version(connection, "faces-none", read)


def in_thread(work: Any) -> None:
    """Run a coroutine to its end from within another's."""
    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()


@in_loop
async def test_a_file_goes_into_a_collection_of_another_name(place: Place, fresh: Place, tmp_path: Path) -> None:
    await filled(place)
    files = await exported(place, tmp_path / "out")
    file = next(path for path in files if read_export(path).name == NAME)
    assert await imported(fresh, file, into="copy") == [Imported("copy", 2 * len(HOSTILE), 2 * len(HOSTILE))]
    assert await content(fresh, "copy") == await content(place)
    with pytest.raises(TransferError, match="only one file"):
        await imported(fresh, tmp_path / "out", into="copy")
    assert [each.name for each in await listed(fresh)] == ["copy"]


@in_loop
async def test_another_kind_is_refused_before_anything_is_written(place: Place, fresh: Place, tmp_path: Path) -> None:
    await filled(place)
    files = await exported(place, tmp_path / "out")
    async with writing(fresh, collection=None) as writer:
        await writer.create(NAME, OTHER, None)
        assert await refusal(import_files(writer, files, silent)) == "EMBEDDING_CONTRACT_MISMATCH"
    assert [each.name for each in await listed(fresh)] == [NAME]
    async with writing(fresh, collection=None) as writer:
        await writer.drop(NAME)
        await writer.create(NAME, EmbeddingKind("another stage", KIND.model, KIND.contract, SIZE), None)
        assert await refusal(import_files(writer, files, silent)) == "COLLECTION_EXISTS"
    assert [each.name for each in await listed(fresh)] == [NAME]


@in_loop
async def test_two_files_of_one_collection_must_be_of_one_kind(place: Place, fresh: Place, tmp_path: Path) -> None:
    files = []
    for kind in (KIND, OTHER):
        async with writing(place, collection=None) as writer:
            await writer.create(NAME, kind, None)
            files += await exported(place, tmp_path / kind.model)
            await writer.drop(NAME)
    with pytest.raises(TransferError, match=f"both of {NAME}"):
        await imported(fresh, *files)
    assert await listed(fresh) == []


def rewritten(path: Path, about: dict[str, object] | None = None, **columns: Any) -> None:
    """Write the file at `path` anew with another description or other columns."""
    table = pq.read_table(path)
    metadata = json.loads(table.schema.metadata[ABOUT]) | (about or {})
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    pq.write_table(table.replace_schema_metadata({ABOUT: json.dumps(metadata)}), path)


def flipped(path: Path) -> None:
    """Change a byte in the middle of the embeddings of the last row group."""
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(file.metadata.num_row_groups - 1).column(4)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 0x40
    path.write_bytes(data)


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"id": ["0" * 32]}), path)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "no Parquet": lambda path: path.write_bytes(b"not Parquet at all"),
    "nothing": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "flipped": flipped,
    "foreign": foreign,
    "another size": lambda path: rewritten(path, {"size": SIZE + 1}),
    "no size": lambda path: rewritten(path, {"size": 0}),
    "size is text": lambda path: rewritten(path, {"size": "16"}),
    "no name": lambda path: rewritten(path, {"name": ""}),
    "no contract": lambda path: rewritten(path, {"contract": None}),
    "no time": lambda path: rewritten(path, {"created": "yesterday"}),
    "odd threshold": lambda path: rewritten(path, {"threshold": float("nan")}),
    "id for a filter": lambda path: rewritten(path, id=["0" * 32] * 29 + ["' OR true --"]),
    "id with a line end": lambda path: rewritten(path, id=["0" * 32] * 29 + ["0" * 31 + "\n"]),
    "long subject": lambda path: rewritten(path, subject=["s"] * 29 + ["x" * 513]),
    "no subject": lambda path: rewritten(path, subject=["s"] * 29 + [""]),
    "zero embedding": lambda path: rewritten(path, vector=[[1.0] * SIZE] * 29 + [[0.0] * SIZE]),
    "infinite embedding": lambda path: rewritten(path, vector=[[1.0] * SIZE] * 29 + [[float("inf")] * SIZE]),
    "hole in an embedding": lambda path: rewritten(path, vector=[[1.0] * SIZE] * 29 + [[1.0] * (SIZE - 1) + [None]]),
}


@pytest.mark.parametrize("damage", DAMAGE)
@in_loop
async def test_a_file_that_is_no_whole_export_is_named_and_nothing_is_written(
    place: Place, fresh: Place, tmp_path: Path, damage: str
) -> None:
    async with writing(place, collection=None) as writer:
        await writer.create("good", KIND, None)
        await enrol(writer, *people(3), name="good")
        await writer.create("worse", KIND, None)
        await enrol(writer, *people(30), name="worse")
    files = await exported(place, tmp_path / "out")
    DAMAGE[damage](files[1])
    with pytest.raises(TransferError) as caught:
        await imported(fresh, tmp_path / "out")
    assert str(caught.value).startswith(f"{files[1]} cannot be imported: ")
    assert len(str(caught.value).splitlines()) == 1
    assert await listed(fresh) == []


@in_loop
async def test_what_is_not_there_is_named(fresh: Place, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=r"there is no file .*gone\.parquet"):
        await imported(fresh, tmp_path / "gone.parquet")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(TransferError, match=r"no exported file in .*hollow"):
        await imported(fresh, tmp_path / "hollow")
    with pytest.raises(TransferError, match=r"there is no gallery at .*nowhere"):
        await exported(Place(str(tmp_path / "nowhere")), tmp_path / "out")
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "out").exists()


@in_loop
async def test_the_writer_refuses_rows_of_another_size_or_kind(fresh: Place) -> None:
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
async def test_the_writer_takes_a_row_once_and_scales_what_is_not_of_length_one(fresh: Place) -> None:
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
async def test_imported_faces_are_seen_by_a_reader_that_is_there(place: Place, fresh: Place, tmp_path: Path) -> None:
    async with writing(place) as writer:
        await enrol(writer, *people(20))
    files = await exported(place, tmp_path / "out")
    async with writing(fresh) as writer:
        reader = Reader(fresh, 8)
        collection = await reader.collection(NAME)
        await enrol(writer, face("first", vectors(1, 50)[0]))
        assert [hit.subject for hit in (await reader.search(collection, [vectors(1)[0]], 1))[0]] == ["first"]
        await import_files(writer, files, silent)
        assert [hit.subject for hit in (await reader.search(collection, [vectors(1)[0]], 1))[0]] == ["subject-0"]


def test_the_writer_is_the_one_that_inserts(monkeypatch: pytest.MonkeyPatch, place: Place, tmp_path: Path) -> None:
    asyncio.run(filled(place))
    asyncio.run(exported(place, tmp_path / "out"))
    sizes: list[int] = []
    insert = Writer.insert

    async def counted(self: Writer, name: str, contract: str, faces: pa.RecordBatch) -> int:
        sizes.append(faces.num_rows)
        return await insert(self, name, contract, faces)

    monkeypatch.setattr(Writer, "insert", counted)
    asyncio.run(imported(Place(str(tmp_path / "fresh")), tmp_path / "out"))
    assert sum(sizes) == 2 * len(HOSTILE) + 20
    assert max(sizes) == 7
