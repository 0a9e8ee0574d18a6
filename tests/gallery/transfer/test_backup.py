"""Backing up a gallery and restoring it."""

import fcntl
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from lancedb import AsyncConnection, AsyncTable

from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.records import Reassignment
from gallery.storage.disk import GalleryInUseError, reserve
from gallery.storage.tables import faces_schema
from gallery.transfer.backup import backup, restore
from gallery.transfer.consistent_reads import TransferError, read_one_version
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import NAME, Storage, enrol, face, people, refusal, stored_bytes, writing
from tests.gallery.sample_transfers import ODD_NAME, StopError, content, filled, odd_faces, silent, stop_at

pytestmark = pytest.mark.usefixtures("small_batches")


@pytest.fixture
def copy(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "kept" / "copy"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def backed_up(location: Storage, copy: Storage) -> dict[str, Any]:
    """Back up a filled gallery, and return its content."""
    await filled(location)
    await backup(location, copy, silent)
    return await content(location)


async def test_a_backup_is_a_gallery_with_the_same_faces_and_no_trace_of_others(
    location: Storage, copy: Storage
) -> None:
    await filled(location)
    async with writing(location):
        collections = await backup(location, copy, silent)
    assert [collection.name for collection in collections] == ["empty", NAME, ODD_NAME]
    assert await content(copy) == await content(location)
    assert names(copy.files.parent) == ["copy"]
    assert b"somebody deleted" not in stored_bytes(copy.files)
    for collection in collections:
        table = await (await copy.connect()).open_table(collection.table)
        assert (await table.schema()).equals(faces_schema(collection.kind.size), check_metadata=True)
        assert len(await table.list_versions()) == 1
    async with writing(copy) as writer:
        assert set(await enrol(writer, *odd_faces(), request=("key", "digest"))) == {"already"}
        assert await enrol(writer, face("new"), people(1)[0]) == ["enrolled", "already"]
        assert await refusal(writer.create_subject(NAME, "without faces", "another")) == "SUBJECT_EXISTS"


async def test_a_subject_that_gets_its_first_face_during_a_backup_is_not_lost(
    location: Storage, copy: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(location)
    given, without, table = people(1)[0], "without faces", (await location.table()).name
    async with writing(location) as writer:

        async def copied(connection: AsyncConnection, name: str, read: Any) -> None:
            await read_one_version(connection, name, read)
            if name == table:
                moves = {given.id: Reassignment(given.subject, without)}
                await writer.reassign_faces(NAME, moves, keep=[given.subject])

        monkeypatch.setattr("gallery.transfer.backup.read_one_version", copied)
        await backup(location, copy, silent)
    assert {given.subject, without} <= (await Reader(copy, 0).subject_ids(NAME, "", 1000, "-")).keys()


async def test_an_interrupted_backup_leaves_nothing_and_can_be_repeated(location: Storage, copy: Storage) -> None:
    await filled(location)
    with pytest.raises(StopError):
        await backup(location, copy, stop_at("copying"))
    assert names(copy.files.parent) == []
    copy.files.mkdir()
    await backup(location, copy, silent)
    assert await content(copy) == await content(location)


async def test_a_folder_of_other_files_is_not_overwritten(location: Storage, copy: Storage) -> None:
    await filled(location)
    copy.files.mkdir(parents=True)
    file = copy.files / "something"
    file.write_text("important")
    for target in (copy, location, Location(str(file))):
        with pytest.raises(TransferError, match="is not empty"):
            await backup(location, target, silent)
    with pytest.raises(TransferError, match="is not empty"):
        await restore(location, copy, False, silent)
    assert file.read_text() == "important"


@pytest.mark.parametrize(("faces", "error"), [(True, "differs from the collection"), (False, "the same collections")])
async def test_an_incomplete_copy_does_not_become_a_backup(
    location: Storage, copy: Storage, monkeypatch: pytest.MonkeyPatch, faces: bool, error: str
) -> None:
    await filled(location)
    add = AsyncTable.add

    async def lossy(self: AsyncTable, data: Any, **options: Any) -> Any:
        return await add(self, data.slice(1) if self.name.startswith("faces-") == faces else data, **options)

    monkeypatch.setattr(AsyncTable, "add", lossy)
    with pytest.raises(TransferError, match=error):
        await backup(location, copy, silent)
    assert names(copy.files.parent) == []


@pytest.mark.parametrize("target", ["missing", "without collections", "only served"])
async def test_a_backup_is_restored_to_an_empty_gallery(location: Storage, fresh: Storage, target: str) -> None:
    await filled(location)
    if target == "without collections":
        async with writing(fresh, collection=None):
            pass
    elif target == "only served":
        with reserve(fresh.files, 0):
            pass
    collections, aside = await restore(location, fresh, False, silent)
    assert (len(collections), aside) == (3, None)
    assert names(fresh.files.parent) == ["fresh", "gallery"]
    async with writing(fresh) as writer:
        assert await enrol(writer, *people(1)) == ["already"]
    assert await content(fresh) == await content(location)


async def test_a_gallery_is_replaced_only_on_request_and_moved_aside(
    location: Storage, fresh: Storage, tmp_path: Path
) -> None:
    await filled(location)
    async with writing(fresh) as writer:
        await enrol(writer, face("present"))
    present = await content(fresh)
    with pytest.raises(TransferError, match=r"fresh is not empty; use --replace"):
        await restore(location, fresh, False, silent)
    assert await content(fresh) == present
    _, aside = await restore(location, fresh, True, silent)
    assert aside is not None
    assert aside.name.startswith("fresh.before-")
    assert names(tmp_path) == ["fresh", aside.name, "gallery"]
    assert await content(fresh) == await content(location)
    assert await content(Location(str(aside))) == present
    for each in (fresh, Location(str(aside))):
        async with writing(each) as writer:
            assert await enrol(writer, face("new")) == ["enrolled"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("interrupted", StopError), ("not renamed", OSError), ("damaged", RuntimeError), ("in use", GalleryInUseError)],
)
async def test_a_failed_restore_leaves_the_gallery_unchanged(
    location: Storage, copy: Storage, monkeypatch: pytest.MonkeyPatch, fault: str, error: type[Exception]
) -> None:
    before, rename = await backed_up(location, copy), Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError("cannot be renamed")
        return rename(self, target)

    if fault == "not renamed":
        monkeypatch.setattr(Path, "rename", failing)
    for path in copy.files.glob("faces-*.lance/data/*") if fault == "damaged" else ():
        path.unlink()
    async with writing(location) if fault == "in use" else nullcontext():
        with pytest.raises(error):
            await restore(copy, location, True, stop_at("copying") if fault == "interrupted" else silent)
    assert names(location.files.parent) == ["gallery", "kept"]
    assert await content(location) == before


async def test_a_waiting_writer_gets_the_lock_of_the_new_gallery(location: Storage, copy: Storage) -> None:
    await backed_up(location, copy)
    # A writer that waits for the lock has the file open during the restore.
    waiting = os.open(location.files / "writer.lock", os.O_RDWR)
    await restore(copy, location, True, silent)
    fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(GalleryInUseError):
        await Writer.open(location)
    os.close(waiting)
    async with writing(location):
        pass


async def test_only_a_gallery_is_backed_up_and_restored(location: Storage, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "file").write_text("not a gallery")
    for source in (Location(str(tmp_path / name)) for name in ("nowhere", "photos", "file")):
        for copying in (backup(source, location, silent), restore(source, location, False, silent)):
            with pytest.raises(TransferError, match=f"there is no gallery at {source.uri}"):
                await copying
    assert not location.files.exists()


async def test_a_gallery_that_does_not_open_must_be_moved_aside_by_hand(location: Storage, fresh: Storage) -> None:
    async with writing(location), writing(fresh):
        pass
    for manifest in (fresh.files / "collections.lance" / "_versions").iterdir():
        manifest.write_bytes(b"")
    with pytest.raises(TransferError, match="move it away manually"):
        await restore(location, fresh, True, silent)


async def test_a_gallery_moves_to_an_object_store_and_back(location: Storage, copy: Storage, tmp_path: Path) -> None:
    await filled(location)
    before = await content(location)
    stores = [Location(f"file-object-store://{tmp_path}/{name}") for name in ("backup", "restore")]
    await backup(location, stores[0], silent)
    with pytest.raises(TransferError, match="is not empty"):
        await backup(location, stores[0], silent)
    with pytest.raises(StopError):
        await restore(location, stores[1], False, stop_at("copying"))
    assert await Reader(stores[1], 0).collections() == []
    await restore(location, stores[1], False, silent)
    with pytest.raises(TransferError, match="is not empty"):
        await restore(location, stores[1], False, silent)
    with pytest.raises(TransferError, match="only for a gallery in a folder"):
        await restore(location, stores[1], True, silent)
    assert [await content(store) for store in stores] == [before, before]
    await restore(stores[1], copy, False, silent)
    assert await content(copy) == before
