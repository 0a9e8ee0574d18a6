"""Files that are not imported, and galleries that are not exported: each is named, and nothing is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gallery.location import Location
from gallery.parquet_export import COLLECTION_KEY
from gallery.parquet_import import import_files
from gallery.records import EmbeddingKind
from gallery.transfer import TransferError, collections_at
from tests.gallery.sample_exports import OTHER, exported, filled, imported, silent
from tests.gallery.sample_gallery import KIND, NAME, SIZE, enrol, in_loop, people, refusal, writing

pytestmark = pytest.mark.usefixtures("small_batches")


@in_loop
async def test_another_kind_is_refused_before_anything_is_written(
    location: Location, fresh: Location, tmp_path: Path
) -> None:
    await filled(location)
    files = await exported(location, tmp_path / "out")
    async with writing(fresh, collection=None) as writer:
        await writer.create(NAME, OTHER, None)
        assert await refusal(import_files(writer, files, silent)) == "EMBEDDING_CONTRACT_MISMATCH"
    assert [each.name for each in await collections_at(fresh)] == [NAME]
    async with writing(fresh, collection=None) as writer:
        await writer.drop(NAME)
        await writer.create(NAME, EmbeddingKind("another stage", KIND.model, KIND.contract, SIZE), None)
        assert await refusal(import_files(writer, files, silent)) == "COLLECTION_EXISTS"
    assert [each.name for each in await collections_at(fresh)] == [NAME]


@in_loop
async def test_two_files_of_one_collection_must_be_of_one_kind(
    location: Location, fresh: Location, tmp_path: Path
) -> None:
    files = []
    for kind in (KIND, OTHER):
        async with writing(location, collection=None) as writer:
            await writer.create(NAME, kind, None)
            files += await exported(location, tmp_path / kind.model)
            await writer.drop(NAME)
    with pytest.raises(TransferError, match=f"both contain {NAME}"):
        await imported(fresh, *files)
    assert await collections_at(fresh) == []


def rewritten(path: Path, about: dict[str, object] | None = None, **columns: Any) -> None:
    """Write the file at `path` anew with another description or other columns."""
    table = pq.read_table(path)
    metadata = json.loads(table.schema.metadata[COLLECTION_KEY]) | (about or {})
    for name, values in columns.items():
        location = table.schema.get_field_index(name)
        table = table.set_column(location, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    pq.write_table(table.replace_schema_metadata({COLLECTION_KEY: json.dumps(metadata)}), path)


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
    "blank subject": lambda path: rewritten(path, subject=["s"] * 29 + ["\u00a0\t"]),
    "no subject": lambda path: rewritten(path, subject=["s"] * 29 + [""]),
    "zero embedding": lambda path: rewritten(path, vector=[[1.0] * SIZE] * 29 + [[0.0] * SIZE]),
    "infinite embedding": lambda path: rewritten(path, vector=[[1.0] * SIZE] * 29 + [[float("inf")] * SIZE]),
    "hole in an embedding": lambda path: rewritten(path, vector=[[1.0] * SIZE] * 29 + [[1.0] * (SIZE - 1) + [None]]),
}


@pytest.mark.parametrize("damage", DAMAGE)
@in_loop
async def test_a_file_that_is_no_whole_export_is_named_and_nothing_is_written(
    location: Location, fresh: Location, tmp_path: Path, damage: str
) -> None:
    async with writing(location, collection=None) as writer:
        await writer.create("good", KIND, None)
        await enrol(writer, *people(3), name="good")
        await writer.create("worse", KIND, None)
        await enrol(writer, *people(30), name="worse")
    files = await exported(location, tmp_path / "out")
    DAMAGE[damage](files[1])
    with pytest.raises(TransferError) as caught:
        await imported(fresh, tmp_path / "out")
    assert str(caught.value).startswith(f"{files[1]} cannot be imported: ")
    assert len(str(caught.value).splitlines()) == 1
    assert await collections_at(fresh) == []


@in_loop
async def test_what_is_not_there_is_named(fresh: Location, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=r"there is no file .*gone\.parquet"):
        await imported(fresh, tmp_path / "gone.parquet")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(TransferError, match=r"no exported file in .*hollow"):
        await imported(fresh, tmp_path / "hollow")
    with pytest.raises(TransferError, match=r"there is no gallery at .*nowhere"):
        await exported(Location(str(tmp_path / "nowhere")), tmp_path / "out")
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "out").exists()
