"""Power losses and killed processes: what was acknowledged, but for a commit that never reached the disk, is there."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import gallery.writer
from gallery.location import Location
from gallery.reader import Reader
from gallery.recovery import recover
from gallery.tables import REGISTRY
from tests.conftest import PROJECT
from tests.fakes import serve_log
from tests.gallery.sample_gallery import (
    KIND,
    NAME,
    SIZE,
    enrol,
    face,
    found,
    in_loop,
    listed,
    people,
    refusal,
    search,
    statuses,
    table_folder,
    vectors,
    writing,
)


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)


def newest_manifest(folder: Path) -> Path:
    return min((folder / "_versions").glob("*.manifest"))


def empty_manifest(folder: Path) -> None:
    newest_manifest(folder).write_bytes(b"")


def half_a_manifest(folder: Path) -> None:
    whole = newest_manifest(folder).read_bytes()
    newest_manifest(folder).write_bytes(whole[: len(whole) // 2])


def manifest_of_zeros(folder: Path) -> None:
    newest_manifest(folder).write_bytes(bytes(newest_manifest(folder).stat().st_size))


def empty_data(folder: Path) -> None:
    newest(folder, "data/*.lance").write_bytes(b"")


def half_the_data(folder: Path) -> None:
    file = newest(folder, "data/*.lance")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def data_of_zeros(folder: Path) -> None:
    file = newest(folder, "data/*.lance")
    file.write_bytes(bytes(file.stat().st_size))


def no_data(folder: Path) -> None:
    newest(folder, "data/*.lance").unlink()


Damage = Callable[[Path], None]
DAMAGES = [
    empty_manifest,
    half_a_manifest,
    manifest_of_zeros,
    empty_data,
    half_the_data,
    data_of_zeros,
    no_data,
]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@in_loop
@pytest.mark.parametrize("damage", DAMAGES)
async def test_faces_are_there_but_for_the_last_commit(location: Location, damage: Damage) -> None:
    first, second, lost = people(3)
    async with writing(location) as writer:
        [collection] = writer.collections
        await enrol(writer, first)
        await enrol(writer, second)
        await enrol(writer, lost)
    damage(table_folder(location, collection.table))
    with serve_log() as log:
        async with writing(location, collection=None) as writer:
            assert any(record.levelname == "ERROR" and collection.table in record.getMessage() for record in log)
            reader = Reader(location, 8)
            assert sorted(await listed(location)) == ["subject-0", "subject-1"]
            assert lost.subject not in await found(reader, lost.embedding)
            assert await statuses(writer, first, lost, face("new")) == ["already", "enrolled", "enrolled"]
            assert await found(reader, lost.embedding, 1) == [lost.subject]
    with serve_log() as log:
        assert await recover(location) == []
        async with writing(location, collection=None) as writer:
            assert await writer.clean()
    assert log == []
    assert sorted(await listed(location)) == ["new", "subject-0", "subject-1", "subject-2"]


@in_loop
@pytest.mark.parametrize("damage", DAMAGES)
async def test_collections_are_there_but_for_the_last_commit(location: Location, damage: Damage) -> None:
    async with writing(location) as writer:
        await enrol(writer, face("Ada"))
        await writer.create("lost", KIND, None)
    damage(table_folder(location, REGISTRY))
    with serve_log() as log:
        async with writing(location, collection=None) as writer:
            assert [collection.name for collection in writer.collections] == [NAME]
            assert any(record.levelname == "ERROR" and REGISTRY in record.getMessage() for record in log)
            assert await statuses(writer, face("Ada"), face("Bob")) == ["already", "enrolled"]
            await writer.create("lost", KIND, None)
            assert [collection.name for collection in await Reader(location, 8).collections()] == ["lost", NAME]
    assert await recover(location) == []
    assert sorted(await listed(location)) == ["Ada", "Bob"]


@in_loop
async def test_a_deletion_that_did_not_reach_the_disk_is_undone(location: Location) -> None:
    faces = people(40)
    async with writing(location) as writer:
        [collection] = writer.collections
        await enrol(writer, *faces)
        await writer.delete_subjects(NAME, ["subject-7"])
    newest(table_folder(location, collection.table), "_deletions/*").write_bytes(b"")
    assert await recover(location) == [collection.table]
    async with writing(location) as writer:
        assert len(await listed(location)) == 40
        assert await writer.delete_subjects(NAME, ["subject-7"]) == 1
    assert len(await listed(location)) == 39


@in_loop
async def test_several_commits_may_be_damaged(location: Location) -> None:
    faces = people(6)
    async with writing(location) as writer:
        [collection] = writer.collections
        for each in faces:
            await enrol(writer, each)
    folder = table_folder(location, collection.table)
    last, one_but_last, two_before, *_ = sorted((folder / "_versions").glob("*.manifest"))
    last.write_bytes(b"")
    two_before.write_bytes(two_before.read_bytes()[:-1])
    newest_data = sorted((folder / "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    newest_data[-2].write_bytes(b"")
    assert await recover(location) == [collection.table]
    assert sorted(await listed(location)) == ["subject-0", "subject-1", "subject-2"]
    assert {path.stem for path in (folder / "_versions").glob("*.damaged")} == {
        path.stem for path in (last, one_but_last, two_before)
    }
    async with writing(location) as writer:
        assert await statuses(writer, *faces) == ["already"] * 3 + ["enrolled"] * 3
    assert len(await listed(location)) == 6


@in_loop
async def test_an_optimisation_that_did_not_reach_the_disk_loses_no_face(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    faces = people(12)
    async with writing(location) as writer:
        [collection] = writer.collections
        for each in faces:
            await enrol(writer, each)
        await writer.optimise()
    empty_data(table_folder(location, collection.table))
    assert await recover(location) == [collection.table]
    assert len(await listed(location)) == 12
    async with writing(location) as writer:
        assert await statuses(writer, *faces) == ["already"] * 12
        await writer.optimise()
        assert [await found(Reader(location, 8), each.embedding, 1) for each in faces] == [
            [each.subject] for each in faces
        ]


@in_loop
async def test_damaged_indexes_are_made_again(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    monkeypatch.setattr(gallery.maintenance, "KEYED_ROWS", 50)
    faces = people(120)
    async with writing(location, index_rows=100) as writer:
        [collection] = writer.collections
        await enrol(writer, *faces)
        await writer.optimise()
        await enrol(writer, face("after"))
    assert await recover(location) == []
    files = [path for path in table_folder(location, collection.table).glob("_indices/*/*") if path.is_file()]
    assert len(files) > 5
    for file in files:
        file.write_bytes(bytes(file.stat().st_size))
    with serve_log() as log:
        async with writing(location, index_rows=100) as writer:
            assert [record.levelname for record in log] == ["ERROR"]
            assert await statuses(writer, faces[5], face("new")) == ["already", "enrolled"]
            await writer.clean()
            for reader in (Reader(location, 8), Reader(location, 0)):
                assert await found(reader, faces[5].embedding, 1) == [faces[5].subject]
            assert await writer.delete_subjects(NAME, ["subject-7"]) == 1
    assert await recover(location) == []
    assert len(await listed(location)) == 121


@in_loop
async def test_a_table_that_has_no_whole_version_is_left_as_it_is_and_told_of(location: Location) -> None:
    async with writing(location) as writer:
        await writer.create("other", KIND, None)
        await enrol(writer, face("Ada"))
        collection = await Reader(location, 8).collection(NAME)
        await enrol(writer, face("Bob"), name="other")
    folder = table_folder(location, collection.table)
    for manifest in (folder / "_versions").glob("*.manifest"):
        manifest.write_bytes(manifest.read_bytes()[:-2])
    before = contents(folder)
    with serve_log() as log:
        assert await recover(location) == []
    assert log[-1].levelname == "ERROR"
    assert f"{collection.table} has no intact version" in log[-1].getMessage()
    assert contents(folder) == before
    async with writing(location, collection=None) as writer:
        # The other collection is of use without it, and its own files stay as they are for whoever can read them.
        await enrol(writer, face("Cy"), name="other")
        assert await refusal(enrol(writer, face("Dee"))) == "COLLECTION_UNREADABLE"
        assert await refusal(writer.clean()) == "COLLECTION_UNREADABLE"
        assert contents(folder) == before
        assert sorted(await listed(location, "other")) == ["Bob", "Cy"]
        assert await Reader(location, 8).unreadable() == [NAME]
        await writer.drop(NAME)
    assert not folder.exists()
    assert await Reader(location, 8).unreadable() == []


@in_loop
async def test_a_dropping_that_did_not_reach_the_disk_but_for_the_files_keeps_nobody_out(location: Location) -> None:
    """The folder is gone, and the registry's last two commits, which say why, are damaged."""
    async with writing(location) as writer:
        await writer.create("other", KIND, None)
        await enrol(writer, face("Bob"), name="other")
        await writer.drop(NAME)
    for manifest in sorted((table_folder(location, REGISTRY) / "_versions").glob("*.manifest"))[:2]:
        manifest.write_bytes(b"")
    with serve_log() as log:
        async with writing(location, collection=None) as writer:
            # Whether it was dropped or taken away nobody knows: it is told of until somebody drops it.
            assert [each.name for each in writer.collections] == ["other", NAME]
            assert any(NAME in record.getMessage() for record in log)
            assert await Reader(location, 8).unreadable() == [NAME]
            await writer.drop(NAME)
            assert await Reader(location, 8).unreadable() == []
            await writer.create(NAME, KIND, None)
            assert await statuses(writer, face("Ada")) == ["enrolled"]
    assert sorted(await listed(location, "other")) == ["Bob"]


@in_loop
async def test_what_is_whole_is_not_touched(location: Location) -> None:
    assert location.folder is not None
    assert await recover(location) == []
    assert not location.folder.exists()
    async with writing(location) as writer:
        await enrol(writer, *people(3))
        await writer.delete_subjects(NAME, ["subject-1"])
    before = contents(location.folder)
    with serve_log() as log:
        assert await recover(location) == []
    assert (log, contents(location.folder)) == ([], before)
    assert await recover(Location("s3://nowhere/gallery")) == []


@in_loop
async def test_a_copy_of_the_folder_is_the_gallery(location: Location, tmp_path: Path) -> None:
    assert location.folder is not None
    async with writing(location) as writer:
        await enrol(writer, *people(3))
    copy = Location(str(tmp_path / "copy"))
    shutil.copytree(location.folder, str(copy.folder))
    async with writing(copy) as writer:
        assert await statuses(writer, *people(4)) == ["already"] * 3 + ["enrolled"]
    assert len(await listed(location)) == 3


CHILD = """
import asyncio, sys
from gallery.location import Location
import gallery.writer
from tests.gallery.sample_gallery import KIND, NAME, face, near, vectors

gallery.writer.FEW_COMMITS = 7

async def main():
    writer = await gallery.writer.Writer.open(Location(sys.argv[1]))
    await writer.create(NAME, KIND, None, exist_ok=True)
    for number, vector in enumerate(vectors(2000)):
        pair = [face(f"subject-{number}", vector, "1"), face(f"subject-{number}", near(vector, number), "2")]
        await writer.enrol(NAME, KIND.contract, pair)
        print(number, flush=True)
        if number % 10 == 9:
            await writer.optimise()

asyncio.run(main())
"""


@in_loop
async def test_what_a_killed_process_acknowledged_is_there_once_and_whole(tmp_path: Path) -> None:
    places = {acknowledged: Location(str(tmp_path / str(acknowledged))) for acknowledged in (1, 12, 40)}
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    children = {
        acknowledged: subprocess.Popen(
            [sys.executable, "-c", CHILD, location.uri], stdout=subprocess.PIPE, text=True, env=environment
        )
        for acknowledged, location in places.items()
    }
    for wanted, child in children.items():
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) + 1 == wanted:
                break
        child.send_signal(signal.SIGKILL)
        told = wanted + len(child.stdout.read().splitlines())
        assert child.wait() == -signal.SIGKILL

        location = places[wanted]
        async with writing(location, collection=None) as writer:
            every = await listed(location)
            # One commit may have been made whose acknowledgement was cut off.
            assert told <= len(every) <= told + 1
            assert every.keys() >= {f"subject-{number}" for number in range(told)}
            assert {len(faces) for faces in every.values()} == {2}
            probes = list(vectors(told))
            for number, hits in enumerate(await search(Reader(location, 8), probes, 1)):
                assert hits[0].subject == f"subject-{number}"
                assert hits[0].cosine == pytest.approx(1, abs=1e-6)
            assert await statuses(writer, face("subject-0", source="1"), face("new")) == ["already", "enrolled"]
        connection = await location.connect()
        table = await connection.open_table((await Reader(location, 8).collection(NAME)).table)
        rows = await table.query().select(["vector"]).to_list()
        assert np.linalg.norm([row["vector"] for row in rows], axis=1) == pytest.approx(np.ones(len(rows)), abs=1e-6)
        assert len(rows[0]["vector"]) == SIZE
