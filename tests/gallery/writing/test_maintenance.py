"""Maintenance of a table while faces are enrolled: in a process of its own, and overtaken by commits."""

import asyncio
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from lancedb import AsyncTable

import gallery.storage.locks
from gallery.search.vector_index import DEFAULT_RULE
from gallery.storage.locks import CollectionLocks
from gallery.unit_vectors import normalised
from gallery.writing import maintenance
from gallery.writing.separate_process import run_separately
from gallery.writing.writer import Writer
from project.root import ROOT
from tests.gallery.sample_gallery import NAME, SIZE, Storage, enrol, people, stored_bytes, traceable_faces
from tests.waiting import TIMEOUT_S


async def process(table: AsyncTable) -> tuple[int, int, int]:
    print("not part of the answer")
    return os.getpid(), os.nice(0), await table.count_rows()


async def fail(_: AsyncTable, error: Exception) -> None:
    raise error


async def test_work_is_done_by_another_process_of_low_priority(
    location: Storage, writer: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    await enrol(writer, *people(3))
    [collection] = writer.collections
    pid, niceness, rows = await run_separately(location, collection.table, process)
    assert pid != os.getpid()
    assert (niceness, rows) == (19, 3)
    assert "Fatal" not in capfd.readouterr().err
    with pytest.raises(OSError, match="disk") as caught:
        await run_separately(location, collection.table, fail, OSError(28, "disk"))
    assert caught.value.errno == 28


async def test_the_process_loads_no_module_from_the_current_folder(
    location: Storage, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lancedb.py").write_text("raise ImportError")
    monkeypatch.chdir(tmp_path)
    assert (await run_separately(location, writer.collections[0].table, process))[2] == 0


async def test_a_process_that_ends_without_an_answer_is_an_error(
    location: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises((RuntimeError, ConnectionError)):
        await run_separately(location, "faces", process)


async def never_ends(_: AsyncTable) -> None:
    await asyncio.Event().wait()


async def test_the_process_ends_with_the_one_that_waits_for_it(location: Storage, writer: Writer) -> None:
    command = [sys.executable, "-m", run_separately.__module__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as started:
        assert started.stdin is not None
        started.stdin.write(pickle.dumps((location, writer.collections[0].table, never_ends, ())))
        started.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            started.wait(1)
        # As the system does for a process that is killed.
        started.stdin.close()
        assert started.wait(30) == 1


@pytest.mark.usefixtures("early_indexes")
async def test_a_large_collection_is_maintained_separately_while_faces_are_enrolled(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "LARGE_ROWS", 1)
    gone, left = traceable_faces(5), people(80)
    await enrol(writer, *gone, *left[:60])
    await writer.optimise()
    await writer.delete_subjects(NAME, [each.subject for each in gone])
    cleaning = asyncio.create_task(writer.clean())
    for each in left[60:]:
        assert await enrol(writer, each) == ["enrolled"]
        await asyncio.sleep(0.05)
    assert (await cleaning)[NAME] > 0
    assert location.traces(gone) == []
    assert sorted(await location.listed()) == sorted(each.subject for each in left)


async def test_enrolments_pause_and_then_wait_for_work_that_they_have_overtaken(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lance gives up if others have committed before each of its attempts."""
    rewrite, locks, locked = maintenance.rewrite, CollectionLocks(), list[bool]()
    messages = ["Too many concurrent writers. Attempted 7 times", "Failed to commit the transaction after 20 retries."]
    monkeypatch.setattr(gallery.storage.locks, "PAUSE_S", 0)

    async def change() -> None:
        async with locks.changing(removes=False):
            pass

    async def overtaken(table: AsyncTable) -> None:
        await asyncio.sleep(0)
        locked.append(locks.change.locked())
        changing = asyncio.create_task(change())
        if messages:
            await asyncio.wait_for(changing, TIMEOUT_S)
            raise RuntimeError(f"lance error: {messages.pop()}")
        await rewrite(table)
        assert not changing.done()

    monkeypatch.setattr(maintenance, "rewrite", overtaken)
    [gone] = traceable_faces(1)
    await enrol(writer, *people(3), gone)
    await writer.delete_subjects(NAME, [gone.subject])
    await maintenance.TableMaintenance(await location.table(), locks, location, DEFAULT_RULE).clean()
    assert locked == [False, True, True]
    assert normalised(gone.embedding, SIZE).tobytes() not in stored_bytes(location.files)
