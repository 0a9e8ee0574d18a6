"""Exporting to Parquet files and importing them."""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gallery.location import Location
from gallery.transfer import consistent_reads
from gallery.transfer.consistent_reads import TransferError, collections_at
from gallery.transfer.face_batches import checked_batch
from gallery.transfer.face_streams import COLLECTION_KEY
from gallery.transfer.parquet_export import export_gallery, read_export
from gallery.transfer.parquet_import import Imported, import_files
from gallery.writing.writer import Writer
from tests.fakes import serve_log
from tests.gallery.sample_gallery import KIND, NAME, SIZE, Storage, enrol, face, people, refusal, writing
from tests.gallery.sample_transfers import (
    COLUMNS,
    FACES,
    ODD_NAME,
    OTHER,
    StopError,
    content,
    exported,
    exported_content,
    filled,
    imported,
    silent,
    stop_at,
)

pytestmark = pytest.mark.usefixtures("small_batches")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


async def enrolled(location: Storage, count: int) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(count))


async def test_an_import_restores_every_face_and_a_second_one_changes_nothing(
    location: Storage, fresh: Storage, out: Path
) -> None:
    await filled(location)
    files = await exported(location, out)
    assert await imported(fresh, out) == [
        Imported("empty", 0, 0),
        Imported(NAME, FACES, FACES),
        Imported(ODD_NAME, 20, 20),
    ]
    assert await exported_content(fresh) == await exported_content(location)
    before = await content(fresh)
    assert [each.new for each in await imported(fresh, *files, *files)] == [0, 0, 0]
    assert await content(fresh) == before


async def test_files_have_plain_names_and_describe_their_collections(location: Storage, out: Path) -> None:
    await filled(location)
    collections = await collections_at(location)
    files = await exported(location, out)
    assert files == sorted(out.iterdir())
    names = ["0001-empty.parquet", f"0002-{NAME}.parquet", "0003-_n_code__name__...parquet"]
    assert [path.name for path in files] == names
    with pq.ParquetFile(files[-1]) as file:
        assert file.schema_arrow.names == COLUMNS
        assert file.schema_arrow.field("vector").type == pa.list_(pa.float32(), 8)
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
        assert json.loads(file.schema_arrow.metadata[COLLECTION_KEY]) == {
            "name": ODD_NAME,
            "embedder": "facenet",
            "model": "facenet-model",
            "contract": "other contract",
            "size": 8,
            "threshold": 0.25,
            "created": collections[-1].created.isoformat(),
        }


async def test_chosen_collections_are_exported_to_an_empty_folder(location: Storage, out: Path) -> None:
    await filled(location)
    assert await refusal(export_gallery(location, out, ["nobody"], silent)) == "COLLECTION_NOT_FOUND"
    with pytest.raises(TransferError, match=r"there is no gallery at .*nowhere"):
        await exported(Location(f"{location.uri}/nowhere"), out)
    assert not out.exists()
    with pytest.raises(StopError):
        await export_gallery(location, out, [], stop_at(f"exporting {NAME}"))
    assert list(out.iterdir()) == []
    files = await export_gallery(location, out, ["empty", "empty"], silent)
    assert [(file.name, file.faces) for file in files] == [("empty", 0)]
    with pytest.raises(TransferError, match="out is not empty"):
        await exported(location, out)
    assert [file.path for file in files] == list(out.iterdir())


async def test_an_interrupted_import_is_completed_by_repeating_it(location: Storage, fresh: Storage, out: Path) -> None:
    await enrolled(location, 40)
    files = await exported(location, out)
    with pytest.raises(StopError):
        await imported(fresh, *files, report=stop_at("importing"))
    assert await imported(fresh, *files) == [Imported(NAME, 40, 26)]
    assert await exported_content(fresh) == await exported_content(location)


async def test_a_damaged_collection_does_not_prevent_an_import_into_another(
    location: Storage, fresh: Storage, out: Path
) -> None:
    await filled(location)
    await enrolled(fresh, 1)
    shutil.rmtree(fresh.table_folder((await fresh.table()).name))
    with serve_log() as log:
        [result] = await imported(fresh, *await exported(location, out, ODD_NAME))
    assert (result.collection, result.new) == (ODD_NAME, 20)
    [logged] = [record.getMessage() for record in log if "maintenance failed" in record.getMessage()]
    assert NAME in logged


async def test_a_file_gets_its_name_when_it_is_complete(location: Storage, out: Path) -> None:
    await enrolled(location, 20)
    seen = list[bool]()
    await export_gallery(location, out, [], lambda *_: seen.append(any(out.glob("*.parquet"))))
    assert seen == [False] * 4


@pytest.mark.parametrize("clean", [False, True])
async def test_an_export_contains_one_version(location: Storage, out: Path, clean: bool, writer: Writer) -> None:
    """It begins again if a clean-up removes the version that it reads."""
    await enrol(writer, *people(30))
    starts: list[int | None] = []

    async def change() -> None:
        await enrol(writer, face("new"), face("newer"))
        await writer.delete_subjects(NAME, ["subject-29"])
        if clean:
            await writer.clean()

    def meanwhile(what: str, done: int, total: int | None) -> None:
        if done == 0:
            starts.append(total)
            if starts == [30]:
                # Another thread, because the export holds this one's event loop.
                thread = threading.Thread(target=lambda: asyncio.run(change()))
                thread.start()
                thread.join()

    [file] = await export_gallery(location, out, [], meanwhile)
    assert (starts, file.faces) == (([30, 31], 31) if clean else ([30], 30))


async def test_a_damaged_table_is_read_once(location: Storage) -> None:
    await enrolled(location, 1)
    [collection] = await collections_at(location)
    connection, read = await location.connect(), AsyncMock(side_effect=RuntimeError("damaged"))
    with pytest.raises(RuntimeError, match="damaged"):
        await consistent_reads.read_one_version(connection, collection.table, read)
    assert read.await_count == 1
    with pytest.raises(TransferError, match="faces-none"):
        await consistent_reads.read_one_version(connection, "faces-none", read)


async def test_a_file_can_be_imported_into_another_collection(location: Storage, fresh: Storage, out: Path) -> None:
    await filled(location)
    files = {read_export(path).name: path for path in await exported(location, out)}
    assert await imported(fresh, files[NAME], into="copy") == [Imported("copy", FACES, FACES)]
    assert await exported_content(fresh) == {"copy": (await exported_content(location))[NAME]}
    with pytest.raises(TransferError, match="only one file"):
        await imported(fresh, out, into="copy")
    (out / "empty").mkdir()
    for path, problem in ((out / "empty", "no exported file in"), (out / "missing", "there is no file")):
        with pytest.raises(TransferError, match=f"{problem} .*{path.name}"):
            await imported(fresh, path)


async def test_the_writer_inserts_each_row_once(fresh: Storage) -> None:
    vector = pa.array([[2.0] * SIZE, [-2.0] * SIZE], pa.list_(pa.float32(), SIZE))
    rows = checked_batch(pa.record_batch({"id": ["0" * 32, "1" * 32], "subject": ["s", "t"], "vector": vector}), SIZE)
    async with writing(fresh) as writer:
        for expected, part in ((1, rows.slice(1)), (1, rows), (0, rows), (0, rows.slice(0, 0))):
            assert await writer.insert(NAME, KIND.contract, part) == expected
        await writer.create("long", replace(KIND, size=SIZE + 1), None)
        for name, contract, code in (
            (NAME, "other", "EMBEDDING_CONTRACT_MISMATCH"),
            ("nobody", KIND.contract, "COLLECTION_NOT_FOUND"),
            ("long", KIND.contract, "INVALID_EMBEDDING"),
        ):
            assert await refusal(writer.insert(name, contract, rows)) == code
    stored = {row["id"]: row["vector"] for row in (await content(fresh))[NAME][2]}
    assert stored == {digit * 32: pytest.approx([sign * SIZE**-0.5] * SIZE) for digit, sign in (("0", 1), ("1", -1))}


async def test_files_of_another_kind_are_refused_before_anything_is_written(
    location: Storage, fresh: Storage, out: Path
) -> None:
    await filled(location)
    files = await exported(location, out)
    for kind, code in ((OTHER, "EMBEDDING_CONTRACT_MISMATCH"), (replace(KIND, embedder="other"), "COLLECTION_EXISTS")):
        async with writing(fresh, collection=None) as writer:
            await writer.create(NAME, kind, None)
            assert await refusal(import_files(writer, files, silent)) == code
            assert [each.name for each in writer.collections] == [NAME]
            await writer.drop(NAME)
    async with writing(location, collection=None) as writer:
        await writer.drop(NAME)
        await writer.create(NAME, OTHER, None)
    other = await exported(location, out / "other", NAME)
    with pytest.raises(TransferError, match=f"both contain {NAME}"):
        await imported(fresh, *files, *other)
    assert await collections_at(fresh) == []


def rewritten(path: Path, about: dict[str, object], **last: Any) -> None:
    """Write the file at `path` again with another description, or other cells in its last row."""
    table = pq.read_table(path)
    metadata = json.loads(table.schema.metadata[COLLECTION_KEY]) | about
    rows = table.to_pylist()
    changed = pa.Table.from_pylist([*rows[:-1], rows[-1] | last], table.schema.remove_metadata())
    pq.write_table(changed.replace_schema_metadata({COLLECTION_KEY: json.dumps(metadata)}), path)


def flipped(path: Path) -> None:
    """Change a byte in the middle of the embeddings of the last row group."""
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(file.metadata.num_row_groups - 1).column(4)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 0x40
    path.write_bytes(data)


DAMAGE: list[Callable[[Path], Any]] = [
    lambda path: path.write_bytes(b"not Parquet at all"),
    lambda path: path.write_bytes(path.read_bytes()[:-100]),
    flipped,
    lambda path: pq.write_table(pa.table({"id": ["0" * 32]}), path),
    *(partial(rewritten, about={"size": size}) for size in (SIZE + 1, 0, "16")),
    partial(rewritten, about={"name": ""}),
    partial(rewritten, about={"contract": None}),
    partial(rewritten, about={"created": "yesterday"}),
    partial(rewritten, about={"threshold": float("nan")}),
    partial(rewritten, about={}, id="' OR true --"),
]


async def test_a_damaged_file_is_named_and_nothing_is_written(location: Storage, fresh: Storage, out: Path) -> None:
    async with writing(location, collection="good") as writer:
        await writer.create("worse", KIND, None)
        await enrol(writer, *people(30), name="worse")
    path = (await exported(location, out))[1]
    whole = path.read_bytes()
    for damage in DAMAGE:
        path.write_bytes(whole)
        damage(path)
        with pytest.raises(TransferError, match=rf"^{path} cannot be imported: .*\Z"):
            await imported(fresh, out)
        assert await collections_at(fresh) == []
