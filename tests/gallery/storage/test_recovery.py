"""Power losses and killed processes: every acknowledged change that reached the disk survives."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.records import KeptAnswer, NewFace
from gallery.storage.recovery import recover
from gallery.storage.tables import REGISTRY
from gallery.writing.writer import Writer
from project.root import ROOT
from tests.fakes import serve_log
from tests.gallery.sample_gallery import KIND, NAME, Storage, enrol, face, found, people, refusal, writing


def newest_manifest(folder: Path) -> Path:
    return min((folder / "_versions").glob("*.manifest"))


def newest_data(folder: Path) -> Path:
    return max(folder.glob("data/*.lance"), key=lambda path: path.stat().st_mtime_ns)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def cut_by(file: Path, count: int) -> None:
    """Remove the last `count` bytes."""
    file.write_bytes(file.read_bytes()[:-count])


def halved(file: Path) -> None:
    cut_by(file, file.stat().st_size // 2)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def committed(location: Storage, *faces: NewFace) -> Path:
    """Enrol each face in a commit of its own, and return the folder of their table."""
    async with writing(location) as writer:
        for each in faces:
            await enrol(writer, each)
        return location.table_folder(writer.collections[0].table)


@pytest.mark.parametrize("damage", [emptied, halved, zeroed, Path.unlink])
@pytest.mark.parametrize("file", [newest_manifest, newest_data])
async def test_everything_but_the_last_commit_of_each_table_survives(
    location: Storage, file: Callable[[Path], Path], damage: Callable[[Path], None]
) -> None:
    first, second, lost = people(3)
    folders = [await committed(location, first, second, lost), location.table_folder(REGISTRY)]
    async with writing(location, collection="lost"):
        pass
    for folder in folders:
        damage(file(folder))
    with serve_log() as log:
        async with writing(location, collection=None) as writer:
            assert [collection.name for collection in writer.collections] == [NAME]
            assert sorted(await location.listed()) == ["subject-0", "subject-1"]
            assert lost.subject not in await found(Reader(location, 8), lost.embedding)
            await writer.create("lost", KIND, None)
            assert await enrol(writer, first, lost, face("new")) == ["already", "enrolled", "enrolled"]
    errors = [record.getMessage() for record in log if record.levelname == "ERROR"]
    for folder in folders:
        assert any(folder.stem in error for error in errors) == ((file, damage) != (newest_manifest, Path.unlink))
    with serve_log() as log:
        async with writing(location, collection=None) as writer:
            assert await writer.clean()
    assert log == []
    assert sorted(await location.listed()) == ["new", "subject-0", "subject-1", "subject-2"]


async def test_a_deletion_that_did_not_reach_the_disk_is_undone(location: Storage) -> None:
    async with writing(location) as writer:
        [collection] = writer.collections
        await enrol(writer, *people(40))
        await writer.delete_subjects(NAME, ["subject-7"])
    [deletions] = location.table_folder(collection.table).glob("_deletions/*")
    emptied(deletions)
    await recover(location)
    assert len(await location.listed()) == 40


@pytest.mark.parametrize("table", ["faces-*", "empty-*"])
async def test_the_kept_answer_to_a_lost_change_is_discarded(location: Storage, table: str) -> None:
    request = ("token", "digest")
    async with writing(location) as writer:
        await enrol(writer, face("Ada"))
        await writer.create_subject(NAME, "Bob", "digest")
        await writer.keep_answer(NAME, KeptAnswer(request, "answer"))
    [folder] = location.files.glob(table)
    emptied(newest_manifest(folder))
    async with writing(location) as writer:
        assert await writer.earlier_answer(NAME, request) is None


async def test_several_commits_may_be_damaged(location: Storage) -> None:
    folder = await committed(location, *people(6))
    manifests = sorted((folder / "_versions").glob("*.manifest"))[:3]
    emptied(manifests[0])
    cut_by(manifests[2], 1)
    emptied(sorted((folder / "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)[-2])
    await recover(location)
    assert sorted(await location.listed()) == ["subject-0", "subject-1", "subject-2"]
    assert {path.stem for path in folder.glob("_versions/*.damaged")} == {path.stem for path in manifests}


async def test_a_recovery_that_was_killed_is_repeated(location: Storage) -> None:
    folder = await committed(location, *people(2))
    emptied(newest_manifest(folder))
    for manifest in list((folder / "_versions").glob("*.manifest")):
        manifest.rename(manifest.with_suffix(".damaged"))
    await recover(location)
    assert sorted(await location.listed()) == ["subject-0"]


@pytest.mark.usefixtures("early_indexes")
async def test_damaged_indexes_are_built_again(location: Storage) -> None:
    faces = people(120)
    async with writing(location, index_rows=100) as writer:
        [collection] = writer.collections
        await enrol(writer, *faces)
        await writer.optimise()
        await enrol(writer, face("after"))
    with serve_log() as log:
        await recover(location)
    assert log == []
    files = [path for path in location.table_folder(collection.table).glob("_indices/*/*") if path.is_file()]
    assert len(files) > 5
    for file in files:
        zeroed(file)
    with serve_log() as log:
        async with writing(location, index_rows=100) as writer:
            assert [record.levelname for record in log] == ["ERROR"]
            assert await enrol(writer, faces[5], face("new")) == ["already", "enrolled"]
            await writer.clean()
            for reader in (Reader(location, 8), Reader(location, 0)):
                assert await found(reader, faces[5].embedding, 1) == [faces[5].subject]
    assert len(await location.listed()) == 122


async def test_a_table_without_an_intact_version_is_left_unchanged_and_reported(location: Storage) -> None:
    folder = await committed(location, face("Ada"))
    for manifest in (folder / "_versions").glob("*.manifest"):
        cut_by(manifest, 2)
    before = contents(folder)
    with serve_log() as log:
        await recover(location)
    assert log[-1].levelname == "ERROR"
    assert f"{folder.stem} has no intact version" in log[-1].getMessage()
    async with writing(location, collection="other") as writer:
        await enrol(writer, face("Cy"), name="other")
        for change in (enrol(writer, face("Dee")), writer.clean()):
            assert await refusal(change) == "COLLECTION_UNREADABLE"
        assert contents(folder) == before
        assert await Reader(location, 8).unreadable() == [NAME]
        await writer.drop(NAME)
    assert not folder.exists()
    assert sorted(await location.listed("other")) == ["Cy"]


async def test_a_drop_whose_commits_are_lost_leaves_a_collection_that_can_be_dropped(location: Storage) -> None:
    """The folder is gone, and the last two commits of the registry, which say why, are damaged."""
    async with writing(location) as writer:
        await writer.drop(NAME)
    for manifest in sorted((location.table_folder(REGISTRY) / "_versions").glob("*.manifest"))[:2]:
        emptied(manifest)
    with serve_log() as log:
        async with writing(location, collection=None) as writer:
            assert any(NAME in record.getMessage() for record in log)
            assert await Reader(location, 8).unreadable() == [each.name for each in writer.collections] == [NAME]
            await writer.drop(NAME)
            await writer.create(NAME, KIND, None)
            assert await enrol(writer, face("Ada")) == ["enrolled"]


async def test_an_intact_gallery_is_left_unchanged(location: Storage, fresh: Storage, writer: Writer) -> None:
    for nowhere in (fresh, Location("s3://nowhere/gallery")):
        await recover(nowhere)
    assert not fresh.files.exists()
    await enrol(writer, *people(3))
    await writer.delete_subjects(NAME, ["subject-1"])
    before = contents(location.files)
    with serve_log() as log:
        await recover(location)
    assert (log, contents(location.files)) == ([], before)


CHILD = """
import asyncio, sys
import gallery.writing.maintainer
from gallery.location import Location
from tests.gallery.sample_gallery import enrol, people, writing

gallery.writing.maintainer.FEW_COMMITS = 7

async def main():
    async with writing(Location(sys.argv[1])) as writer:
        for number, each in enumerate(people(2000)):
            await enrol(writer, each)
            print(number, flush=True)
            if number % 10 == 9:
                await writer.optimise()

asyncio.run(main())
"""


async def test_everything_that_a_killed_process_acknowledged_is_there_once(location: Storage) -> None:
    command = [sys.executable, "-c", CHILD, location.uri]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        acknowledged = len([child.stdout.readline() for _ in range(40)])
        child.kill()
        acknowledged += len(child.stdout.read().splitlines())
    async with writing(location, collection=None) as writer:
        every = await location.listed()
        # One more commit may have been made without an acknowledgement.
        assert acknowledged <= len(every) <= acknowledged + 1
        assert {len(faces) for faces in every.values()} == {1}
        for each in people(acknowledged):
            assert await found(Reader(location, 8), each.embedding, 1) == [each.subject]
        assert await enrol(writer, *people(1), face("new")) == ["already", "enrolled"]
