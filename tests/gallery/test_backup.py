"""Backups and the way back from them."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from lancedb import AsyncTable

from gallery import transfer
from gallery.backup import backup, restore
from gallery.disk import GalleryInUseError, reserve
from gallery.location import Location
from gallery.reader import Reader
from gallery.records import EmbeddingKind
from gallery.tables import faces_schema
from gallery.transfer import TransferError
from gallery.writer import Writer
from tests.gallery.sample_gallery import HOSTILE, KIND, NAME, enrol, face, in_loop, people, statuses, vectors, writing


def silent(what: str, done: int, total: int | None) -> None:
    """A report to nobody."""


class StopError(Exception):
    """Interrupts a copy."""


def stop(what: str, done: int, total: int | None) -> None:
    if done >= 14:
        raise StopError


@pytest.fixture
def location(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "gallery"))


@pytest.fixture
def copy(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "kept" / "copy"))


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BATCH", 7)


async def filled(location: Location, extra: str = "extra") -> None:
    """A gallery of three collections, one of them empty, with a face that was deleted."""
    async with writing(location) as writer:
        await enrol(writer, *people(20), *(face(subject) for subject in HOSTILE), request=("key", "digest"))
        await enrol(writer, face(extra))
        await enrol(writer, face("deleted", vectors(1, 9)[0]))
        await writer.delete_subjects(NAME, ["deleted"])
        await writer.create("empty", EmbeddingKind("facenet", "facenet-model", "other", 8), 0.5)
        await writer.create("dropped", KIND, None)
        await writer.drop("dropped")
        await writer.create("more ../ 'x'", KIND, None)
        await enrol(writer, *people(3), name="more ../ 'x'")


async def content(location: Location) -> list[Any]:
    """The collections and all their rows."""
    collections = await Reader(location, 0).collections()
    connection = await location.connect()
    rows = []
    for collection in collections:
        table = await connection.open_table(collection.table)
        rows.append((await table.query().to_arrow()).sort_by("id").to_pylist())
    return [collections, rows]


def folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def of(location: Location) -> Path:
    assert location.folder is not None
    return location.folder


@in_loop
async def test_a_backup_is_a_gallery_with_the_same_in_it(location: Location, copy: Location) -> None:
    await filled(location)
    collections = await backup(location, copy, silent)
    assert [collection.name for collection in collections] == ["empty", "more ../ 'x'", NAME]
    assert await content(copy) == await content(location)
    assert folders(of(copy).parent) == ["copy"]
    probes = list(vectors(4, seed=3))
    before, after = Reader(location, 8), Reader(copy, 8)
    expected = await before.search(await before.collection(NAME), probes, 5)
    found = await after.search(await after.collection(NAME), probes, 5)
    assert [[hit.face_id for hit in hits] for hits in found] == [[hit.face_id for hit in hits] for hits in expected]


@in_loop
async def test_a_service_can_run_on_a_backup(location: Location, copy: Location) -> None:
    await filled(location)
    await backup(location, copy, silent)
    async with writing(copy) as writer:
        # What was enrolled there is known here, the request too.
        assert await statuses(writer, face(HOSTILE[0]), request=("key", "digest")) == ["already"]
        assert await statuses(writer, face("new"), face("extra")) == ["enrolled", "already"]
        assert await writer.delete_subjects(NAME, ["new"]) == 1
        await writer.clean()
        await writer.optimise()
    assert await content(copy) == await content(location)


@in_loop
async def test_the_tables_of_a_backup_have_their_keys_and_no_past(location: Location, copy: Location) -> None:
    await filled(location)
    for collection in await backup(location, copy, silent):
        table = await (await copy.connect()).open_table(collection.table)
        assert (await table.schema()).equals(faces_schema(collection.kind.size), check_metadata=True)
        assert len(await table.list_versions()) == 1


@in_loop
async def test_deleted_faces_do_not_go_into_a_backup(location: Location, copy: Location) -> None:
    async with writing(location) as writer:
        await enrol(writer, face("alice"), face("somebody-else", vectors(1, 9)[0]))
        await writer.delete_subjects(NAME, ["somebody-else"])

    def holds(location: Location) -> bool:
        return any(b"somebody-else" in path.read_bytes() for path in of(location).rglob("*") if path.is_file())

    assert holds(location)
    await backup(location, copy, silent)
    assert not holds(copy)


@in_loop
async def test_a_backup_is_made_while_a_writer_is_at_work(location: Location, copy: Location) -> None:
    await filled(location)
    async with writing(location):
        await backup(location, copy, silent)
    assert await content(copy) == await content(location)


@in_loop
async def test_an_interrupted_backup_leaves_nothing(location: Location, copy: Location) -> None:
    await filled(location)
    with pytest.raises(StopError):
        await backup(location, copy, stop)
    assert folders(of(copy).parent) == []
    of(copy).mkdir()
    await backup(location, copy, silent)
    assert await content(copy) == await content(location)


@in_loop
async def test_a_backup_overwrites_nothing(location: Location, copy: Location, tmp_path: Path) -> None:
    await filled(location)
    of(copy).mkdir(parents=True)
    (of(copy) / "something").write_text("dear")
    for target in (copy, location, Location(str(of(copy) / "something"))):
        with pytest.raises(TransferError, match="is not empty"):
            await backup(location, target, silent)
    assert (of(copy) / "something").read_text() == "dear"
    with pytest.raises(TransferError, match="there is no gallery at"):
        await backup(Location(str(tmp_path / "nowhere")), Location(str(tmp_path / "new")), silent)
    assert folders(tmp_path) == ["gallery", "kept"]


@in_loop
async def test_a_copy_that_lost_faces_does_not_become_a_backup(
    location: Location, copy: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(location)
    add = AsyncTable.add

    async def lossy(self: AsyncTable, data: Any, **options: Any) -> Any:
        return await add(self, data.slice(1) if self.name.startswith("faces-") else data, **options)

    monkeypatch.setattr(AsyncTable, "add", lossy)
    with pytest.raises(TransferError, match="differs from the collection"):
        await backup(location, copy, silent)
    assert folders(of(copy).parent) == []


@in_loop
async def test_a_copy_that_lost_a_collection_does_not_become_a_backup(
    location: Location, copy: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(location)
    add = AsyncTable.add

    async def lossy(self: AsyncTable, data: Any, **options: Any) -> Any:
        return await add(self, data if self.name.startswith("faces-") else data.slice(1), **options)

    monkeypatch.setattr(AsyncTable, "add", lossy)
    with pytest.raises(TransferError, match="does not contain the same"):
        await backup(location, copy, silent)
    assert folders(of(copy).parent) == []


@in_loop
async def test_a_backup_comes_back(location: Location, copy: Location, tmp_path: Path) -> None:
    await filled(location)
    before = await content(location)
    await backup(location, copy, silent)
    shutil.rmtree(of(location))
    collections, aside = await restore(copy, location, False, silent)
    assert (len(collections), aside) == (3, None)
    assert await content(location) == before
    async with writing(location) as writer:
        assert await statuses(writer, face("extra")) == ["already"]
    assert folders(tmp_path) == ["gallery", "kept"]


@in_loop
async def test_a_gallery_without_collections_takes_a_backup(location: Location, copy: Location, tmp_path: Path) -> None:
    await filled(location)
    await backup(location, copy, silent)
    target = Location(str(tmp_path / "target"))
    async with writing(target, collection=None):
        pass
    assert (await restore(copy, target, False, silent))[1] is None
    assert await content(target) == await content(location)
    assert folders(tmp_path) == ["gallery", "kept", "target"]


@in_loop
async def test_a_gallery_that_was_only_served_is_empty(location: Location, copy: Location, tmp_path: Path) -> None:
    await filled(location)
    await backup(location, copy, silent)
    with reserve(tmp_path / "target", 0):
        pass
    target = Location(str(tmp_path / "target"))
    await restore(copy, target, False, silent)
    assert await content(target) == await content(location)


@in_loop
async def test_a_gallery_with_something_in_it_stays(location: Location, copy: Location, tmp_path: Path) -> None:
    await filled(location)
    await backup(location, copy, silent)
    target = Location(str(tmp_path / "target"))
    async with writing(target) as writer:
        await enrol(writer, face("present"))
    present = await content(target)
    with pytest.raises(TransferError, match=r"target is not empty; --replace"):
        await restore(copy, target, False, silent)
    assert await content(target) == present
    # A folder of other things is no empty gallery, either.
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    with pytest.raises(TransferError, match="is not empty"):
        await restore(copy, Location(str(tmp_path / "home")), False, silent)
    assert (tmp_path / "home" / "letter").read_text() == "dear"


@in_loop
async def test_a_replaced_gallery_is_set_aside_whole(location: Location, copy: Location, tmp_path: Path) -> None:
    await filled(location)
    await backup(location, copy, silent)
    target = Location(str(tmp_path / "target"))
    async with writing(target) as writer:
        await enrol(writer, face("present"))
    present = await content(target)
    _, aside = await restore(copy, target, True, silent)
    assert aside is not None
    assert aside.name.startswith("target.before-")
    assert folders(tmp_path) == ["gallery", "kept", "target", aside.name]
    assert await content(target) == await content(location)
    assert await content(Location(str(aside))) == present
    for each in (target, Location(str(aside))):
        async with writing(each) as writer:
            assert await statuses(writer, face("new")) == ["enrolled"]


@in_loop
async def test_an_interrupted_restore_leaves_the_gallery_as_it_was(
    location: Location, copy: Location, tmp_path: Path
) -> None:
    await filled(location)
    await backup(location, copy, silent)
    before = await content(location)
    with pytest.raises(StopError):
        await restore(copy, location, True, stop)
    assert folders(tmp_path) == ["gallery", "kept"]
    assert await content(location) == before


@in_loop
async def test_a_gallery_that_cannot_be_exchanged_goes_back_to_its_place(
    location: Location, copy: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(location)
    await backup(location, copy, silent)
    before = await content(location)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no"):
        await restore(copy, location, True, silent)
    assert folders(tmp_path) == ["gallery", "kept"]
    assert await content(location) == before


@in_loop
async def test_nothing_is_restored_under_a_writer(location: Location, copy: Location) -> None:
    await filled(location)
    await backup(location, copy, silent)
    before = await content(location)
    async with writing(location):
        with pytest.raises(GalleryInUseError):
            await restore(copy, location, True, silent)
    assert await content(location) == before


@in_loop
async def test_a_waiting_writer_gets_the_lock_of_the_new_gallery(location: Location, copy: Location) -> None:
    await filled(location)
    await backup(location, copy, silent)
    # As a writer with patience has it open while the restore goes on.
    waiting = os.open(of(location) / "writer.lock", os.O_RDWR)
    await restore(copy, location, True, silent)
    fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(GalleryInUseError):
        await Writer.open(location)
    os.close(waiting)
    async with writing(location):
        pass


@in_loop
async def test_what_is_no_backup_is_refused(location: Location, copy: Location, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "file").write_text("no gallery")
    for name in ("nowhere", "photos", "file"):
        with pytest.raises(TransferError, match=f"there is no gallery at .*{name}"):
            await restore(Location(str(tmp_path / name)), location, False, silent)
    assert not of(location).exists()


@in_loop
async def test_a_damaged_backup_changes_nothing(location: Location, copy: Location, tmp_path: Path) -> None:
    await filled(location)
    await backup(location, copy, silent)
    before = await content(location)
    for path in of(copy).glob("faces-*.lance/data/*"):
        path.unlink()
    with pytest.raises(RuntimeError):
        await restore(copy, location, True, silent)
    assert folders(tmp_path) == ["gallery", "kept"]
    assert await content(location) == before


@in_loop
async def test_a_gallery_that_cannot_be_opened_is_to_be_moved_aside(location: Location, copy: Location) -> None:
    await filled(location)
    await backup(location, copy, silent)
    for manifest in (of(location) / "collections.lance" / "_versions").iterdir():
        manifest.write_bytes(b"")
    with pytest.raises(TransferError, match="move it aside by hand"):
        await restore(copy, location, True, silent)
    # The lock is free again, too.
    of(location).rename(of(location).with_name("aside"))
    await restore(copy, location, False, silent)
    assert await content(location) == await content(copy)


@in_loop
async def test_a_gallery_moves_to_an_object_store_and_back(location: Location, copy: Location, tmp_path: Path) -> None:
    await filled(location)
    store = Location(f"file-object-store://{tmp_path}/store")
    await backup(location, store, silent)
    assert await content(store) == await content(location)
    with pytest.raises(TransferError, match="is not empty"):
        await backup(location, store, silent)
    await restore(store, copy, False, silent)
    assert await content(copy) == await content(location)


@in_loop
async def test_a_restore_to_an_object_store_can_be_made_again(location: Location, tmp_path: Path) -> None:
    await filled(location)
    store = Location(f"file-object-store://{tmp_path}/store")
    with pytest.raises(StopError):
        await restore(location, store, False, stop)
    assert await Reader(store, 0).collections() == []
    await restore(location, store, False, silent)
    assert await content(store) == await content(location)
    with pytest.raises(TransferError, match="is not empty"):
        await restore(location, store, False, silent)
    with pytest.raises(TransferError, match="only a gallery in a folder"):
        await restore(location, store, True, silent)
    assert await content(store) == await content(location)
