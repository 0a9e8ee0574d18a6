"""Collections whose files are damaged or missing while a reader has them open."""

import asyncio
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from gallery.location import Location
from gallery.mirror import Mirror
from gallery.reader import Reader
from gallery.writer import Writer
from tests.fakes import serve_log
from tests.gallery.sample_gallery import KIND, NAME, enrol, face, found, people, refusal, search, table_folder

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
    location: Location,
    tmp_path: Path,
    damage: Damage,
    exact_mb: int,
    mirrors: list[weakref.ref[Mirror]],
    writer: Writer,
) -> None:
    faces, kept = people(5), tmp_path / "kept"
    await writer.create("others", KIND, None)
    for name in (NAME, "others"):
        await enrol(writer, *faces, name=name)
    reader = Reader(location, exact_mb)
    assert await found(reader, faces[1].embedding, 1, "others") == ["subject-1"]
    damaged = await reader.collection(NAME)
    folder = table_folder(location, damaged.table)
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
    location: Location, writer: Writer, reader: Reader
) -> None:
    faces = people(8)
    await writer.create("broken", KIND, None)
    for name in (NAME, "broken"):
        await enrol(writer, *faces, name=name)
    broken = await reader.collection("broken")
    no_data(table_folder(location, broken.table))

    async def change() -> None:
        for number, each in enumerate(faces):
            await writer.create(f"more-{number}", KIND, None)
            await enrol(writer, face("new", -each.embedding))
            await writer.delete_subjects(NAME, ["new"])
            assert await refusal(writer.clean()) == "COLLECTION_UNREADABLE"
            await writer.drop(f"more-{number}")

    async def read(number: int) -> None:
        while True:
            assert NAME in {collection.name for collection in await reader.collections()}
            assert await found(reader, faces[number].embedding, 1) == [f"subject-{number}"]
            assert await reader.count(await reader.collection(NAME)) in (8, 9)
            assert await refusal(search(reader, [faces[0].embedding], name="broken")) == "COLLECTION_UNREADABLE"
            assert await reader.unreadable() == ["broken"]
            if changes.done():
                return

    changes = asyncio.create_task(change())
    await asyncio.gather(changes, *map(read, range(8)))
