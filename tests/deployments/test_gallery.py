"""The gallery's deployments and the ingress's client of them, without a cluster."""

import asyncio
import shutil
import subprocess
import sys
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock

import numpy as np
import pytest
from ray.exceptions import ActorUnavailableError

import deployments.gallery
import gallery.writing.writer
from deployments import gallery_metrics, readiness
from deployments.gallery import GalleryReader, GalleryWriter
from deployments.guard import MARK
from deployments.remote_gallery import RemoteGallery
from gallery.errors import unreadable
from gallery.location import Location
from gallery.reading.size import Size
from gallery.records import EmbeddingKind, IndexHealth, NewFace, ReaderReport
from gallery.storage.disk import reserve
from gallery.storage.memory import MemoryReturner
from gallery.writing.writer import Writer
from telemetry.request_record import recording
from tests.deployments.handles import Answers, handle
from tests.fakes import serve_log
from tests.gallery.sample_gallery import refusal
from tests.waiting import TIMEOUT_S, eventually

KIND = EmbeddingKind("arcface", "mobilefacenet", "contract", 2)
PROBE = np.array([1, 0], np.float32)


def face(subject: str) -> NewFace:
    return NewFace(subject, "photo", "", PROBE)


async def started(deployment: Any, *args: Any) -> Any:
    """A replica's object, started as Serve starts it."""
    replica = deployment.func_or_class.__new__(deployment.func_or_class)
    await replica.__init__(*args)
    return replica


async def started_writer(folder: Path, clean_s: float = 3600) -> Any:
    return await started(GalleryWriter, Location(str(folder)), 1000, 0, 3600, clean_s)


async def started_reader(folder: Path) -> Any:
    return await started(GalleryReader, Location(str(folder)), 8)


async def remote(folder: Path) -> RemoteGallery:
    return RemoteGallery(handle(await started_writer(folder)), handle(await started_reader(folder)))


def test_only_the_gallerys_replicas_import_lancedb() -> None:
    code = "import sys; import graphs.app; assert 'lancedb' not in sys.modules and 'pyarrow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_changes_go_to_the_writer_and_reads_to_the_reader(tmp_path: Path) -> None:
    gallery = await remote(tmp_path)
    with recording(0.0) as recorder:
        created = await gallery.create("staff", KIND, None)
        await gallery.enrol("staff", "contract", [face("ada"), face("bob")])
        await gallery.enrol("staff", "contract", [face("ada")], replace=True)
        found, [hits] = await gallery.find("staff", "contract", [PROBE], 5)
        assert await refusal(gallery.create("staff", KIND, None)) == "COLLECTION_EXISTS"
        assert await refusal(gallery.collection("nowhere")) == "COLLECTION_NOT_FOUND"
    assert (found, {hit.subject for hit in hits}) == (created, {"ada", "bob"})
    assert recorder.outcomes == {("enrolment", "enrolled"): 2, ("enrolment", "already"): 1}
    assert {call.kind for call in recorder.calls} == {"gallery"}
    assert [call.label for call in recorder.calls] == ["create", "enrol", "enrol", "find", "create", "collection"]


async def test_only_reads_are_repeated_when_a_replica_dies() -> None:
    writer, reader = (Answers(ActorUnavailableError("killed", None)) for _ in range(2))
    gallery = RemoteGallery(*(handle(SimpleNamespace(call=each, ready=each)) for each in (writer, reader)))
    for asked in (gallery.drop("staff"), gallery.collections()):
        assert await refusal(asked) == "UNAVAILABLE"
    assert (writer.calls, reader.calls) == (1, 2)


async def test_a_reader_waits_until_the_writer_has_created_the_gallery(tmp_path: Path) -> None:
    with serve_log() as log:
        starting = asyncio.create_task(started_reader(tmp_path))
        await asyncio.sleep(0)
        await started_writer(tmp_path)
        await (await starting).ready()
    assert log == []


async def test_the_gallery_is_ready_once_both_answer_and_lists_damaged_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployments.gallery, "CHECK_PERIOD_S", 0.01)
    monkeypatch.setattr(deployments.gallery, "READER_PATIENCE_S", 0)
    monkeypatch.setattr(readiness, "PERIOD_S", 0.01)
    reader = await started_reader(tmp_path)
    assert (await reader.ready()).code == "UNAVAILABLE"
    writer = await started_writer(tmp_path)
    gallery = RemoteGallery(handle(writer), handle(reader))
    await gallery.create("staff", KIND, None)
    await gallery.reader.readiness.look()
    assert not gallery.ready()
    # An empty tuple before the reader's first check, then an empty list.
    assert not gallery.unreadable()
    await gallery.writer.readiness.look()
    assert gallery.ready()
    [folder] = tmp_path.glob("faces-*.lance")
    away = folder.rename(tmp_path / "away")
    watching = asyncio.create_task(gallery.reader.readiness.watch())
    await eventually(lambda: gallery.unreadable() == ["staff"])
    away.rename(folder)
    await eventually(lambda: not gallery.unreadable())
    watching.cancel()
    assert gallery.ready()


async def test_a_new_writer_optimises_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments.gallery, "URGENT_PERIOD_S", 0.01)
    monkeypatch.setattr(Writer, "optimise", optimise := AsyncMock())
    writer = await Writer.open(Location(str(tmp_path)))
    await writer.create("staff", KIND, None)
    await writer.close()
    await started_writer(tmp_path)
    await eventually(lambda: optimise.called)


async def test_a_missing_folder_is_logged_once_and_requests_are_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    writer, reader = await started_writer(folder), await started_reader(folder)
    away = folder.rename(tmp_path / "away")
    with serve_log() as log:
        for _ in range(3):
            assert [(await each.ready()).code for each in (writer, reader)] == ["UNAVAILABLE"] * 2
        assert (await reader.call("collections")).code == "UNAVAILABLE"
        away.rename(folder)
        for _ in range(2):
            assert await reader.call("collections") == []
            assert isinstance(await reader.ready(), ReaderReport)
        assert await writer.ready() is None
    assert [record.getMessage() for record in log] == [
        f"gallery: it cannot be opened: UnopenedError('there is no gallery at {folder}')",
        "gallery: it is open again",
    ]


async def test_a_reader_returns_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryReturner, "check", check := Mock())
    await started_writer(tmp_path)
    await started_reader(tmp_path)
    await eventually(lambda: check.called)


async def test_a_restarted_writer_creates_no_gallery_where_the_disk_was_unmounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, "service")
    monkeypatch.setattr(deployments.gallery, "READER_PATIENCE_S", 0)
    folder, away = tmp_path / "gallery", tmp_path / "away"
    with reserve(folder, 0):
        # As on the first start of the service.
        first = await Writer.open(Location(str(folder)))
        await first.close()
        folder.rename(away)
        writer, _ = await started_writer(folder), await started_reader(folder)
        assert not folder.exists()
        for _ in range(2):
            assert [(await asked).code for asked in (writer.ready(), writer.call("clean"))] == ["UNAVAILABLE"] * 2
            # The mount point, in which `facegraph doctor` leaves a lock.
            with reserve(folder, 0):
                pass
        shutil.rmtree(folder)
        away.rename(folder)
        another = await Writer.open(Location(str(folder)))
        assert [(await asked).code for asked in (writer.ready(), writer.call("clean"))] == ["UNAVAILABLE"] * 2
        await another.close()
        assert (await writer.ready(), await writer.call("clean")) == (None, {})


async def test_the_gallery_is_opened_once_although_the_first_caller_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, "service")
    writer, opening, go_on = await started_writer(tmp_path), asyncio.Event(), asyncio.Event()

    async def slow(_: Location) -> None:
        opening.set()
        await go_on.wait()

    monkeypatch.setattr(gallery.writing.writer, "recover", recover := AsyncMock(side_effect=slow))
    with reserve(tmp_path, 0):
        call = asyncio.create_task(writer.call("clean"))
        await opening.wait()
        call.cancel()
        await asyncio.wait([call])
        go_on.set()
        assert await writer.ready() is None
    assert recover.await_count == 1


async def test_a_writer_creates_the_gallery_that_the_service_has_reserved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, "service")
    with reserve(tmp_path, 0):
        assert await (await started_writer(tmp_path)).ready() is None


def test_sizes_are_reported_by_model(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: dict[str, Any] = {}

    def gauge(name: str, *_: Any) -> Any:
        kept = name.removeprefix("facegraph_gallery_")
        return SimpleNamespace(set=lambda value, labels=None: reported.update({kept: (value, labels)}))

    monkeypatch.setattr(gallery_metrics, "Gauge", gauge)
    metrics, labels = gallery_metrics.GalleryMetrics(), {"model": "mobilefacenet"}
    metrics.set_sizes({"mobilefacenet": Size(collections=1, faces=3, subjects=2)})
    metrics.set_unreadable(4)
    metrics.set_recall([IndexHealth("mobilefacenet", 1, 3, 0, 0.99), IndexHealth("facenet", 1, 3, 0, None)])
    recall = {"index_recall": (0.99, labels)}
    sizes = {"collections": (1, labels), "faces": (3, labels), "subjects": (2, labels)}
    assert reported == sizes | recall | {"unreadable_collections": (4, None)}


async def test_a_change_completes_although_its_caller_is_cancelled(tmp_path: Path) -> None:
    gallery = await remote(tmp_path)
    await gallery.create("staff", KIND, None)
    call = asyncio.create_task(gallery.enrol("staff", "contract", [face("ada")]))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(TIMEOUT_S):
        while (await gallery.statistics("staff"))[1].faces != 1:
            await asyncio.sleep(0.02)


async def test_the_clean_up_timer_survives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = AsyncMock(side_effect=chain([RuntimeError("broken")], repeat({})))
    monkeypatch.setattr(Writer, "clean", clean)
    with serve_log() as log:
        writer = await started_writer(tmp_path, clean_s=0.01)
        await eventually(lambda: clean.await_count > 1)
    assert any("could not clean" in record.getMessage() for record in log)
    await writer.ready()


async def test_all_failures_of_a_clean_up_on_request_are_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = unreadable("one")
    for name in ("one", "two"):
        error.add_note(f"{name}: damaged")
    monkeypatch.setattr(Writer, "clean", AsyncMock(side_effect=error))
    writer = await started_writer(tmp_path)
    with serve_log() as log:
        assert (await writer.call("clean")).code == "COLLECTION_UNREADABLE"
    assert [record.getMessage() for record in log] == ["gallery: could not clean: one: damaged; two: damaged"]


async def test_new_faces_are_gathered_by_a_timer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gather = AsyncMock()
    monkeypatch.setattr(Writer, "gather", gather)
    await started_writer(tmp_path)
    await eventually(lambda: gather.await_count > 1)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), RuntimeError("(os error 28)"), OSError(5, "broken"), RuntimeError("broken")]
)
async def test_only_a_full_disk_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(Writer, "drop", AsyncMock(side_effect=error))
    gallery = await remote(tmp_path)
    if "broken" in str(error):
        with pytest.raises(type(error), match="broken"):
            await gallery.drop("staff")
        return
    with serve_log() as log:
        assert await refusal(gallery.drop("staff")) == "STORAGE_FULL"
    assert log[-1].levelname == "ERROR"
