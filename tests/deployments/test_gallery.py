"""The gallery's deployments, without a cluster: their classes, and the ingress's way to them."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import deployments.gallery
from deployments.gallery import GalleryReader, GalleryWriter
from deployments.remote_gallery import CHANGES, READS, RemoteGallery
from gallery.place import Place
from gallery.reader import Reader
from gallery.records import EmbeddingKind, Enrolled, NewFace
from gallery.writer import Writer
from graphs.stages import Gallery
from imaging.refused import Refused
from telemetry.timing import recording
from tests.fakes import serve_log

KIND = EmbeddingKind("arcface", "mobilefacenet", "contract", 2)


def made(deployment: Any) -> Any:
    """The class that a deployment wraps."""
    return deployment.func_or_class


def face(subject: str) -> NewFace:
    return NewFace(subject, "photo", "", np.array([1, 0], np.float32))


async def open_writer(folder: Path, clean_s: float = 3600) -> Any:
    writer = made(GalleryWriter).__new__(made(GalleryWriter))
    await writer.__init__(Place(str(folder)), 1000, 3600, clean_s)
    return writer


async def open_reader(folder: Path) -> Any:
    reader = made(GalleryReader).__new__(made(GalleryReader))
    await reader.__init__(Place(str(folder)), 8)
    return reader


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not what():
            await asyncio.sleep(0.02)


def test_every_method_of_the_protocol_is_the_readers_or_the_writers() -> None:
    assert {name for name in vars(Gallery) if not name.startswith("_")} == READS | CHANGES | {"ready", "unreadable"}
    assert all(hasattr(Reader, method) for method in READS)
    assert all(hasattr(Writer, method) for method in CHANGES)
    assert not READS & CHANGES


def test_only_the_gallerys_replicas_import_lancedb() -> None:
    code = "import sys; import graphs.app; assert 'lancedb' not in sys.modules and 'pyarrow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_call_reaches_the_deployment_that_has_the_method() -> None:
    asked: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = []

    def handle(name: str) -> Any:
        async def remote(method: str, *args: Any, **options: Any) -> Any:
            asked.append((name, method, args, options))
            return {"drop": Refused("NO", "No"), "enrol": []}.get(method, name)

        async def ready() -> Any:
            if name == "reader":
                return ["staff"]
            raise RuntimeError("it waits for the one before it")

        return SimpleNamespace(call=SimpleNamespace(remote=remote), ready=SimpleNamespace(remote=ready))

    gallery = RemoteGallery(handle("writer"), handle("reader"))

    async def run() -> None:
        assert await gallery.find("staff", "contract", [], 5) == "reader"
        assert await gallery.collections() == "reader"
        assert await gallery.enrol("staff", "contract", [], replace=True) == []
        with pytest.raises(Refused, match="NO"):
            await gallery.drop("staff")
        assert gallery.ready() is False
        assert gallery.unreadable() == []
        for caller in (gallery.reader, gallery.writer):
            await caller.readiness.look()
        # The reader alone is not the gallery.
        assert gallery.ready() is False
        assert gallery.unreadable() == ["staff"]

    with serve_log():
        asyncio.run(run())
    assert asked[0] == ("reader", "find", ("staff", "contract", [], 5), {})
    assert asked[2] == ("writer", "enrol", ("staff", "contract", []), {"replace": True})
    with pytest.raises(AttributeError):
        _ = gallery.forget


def test_what_became_of_each_face_is_noted() -> None:
    async def remote(method: str, *args: Any) -> Any:
        return [Enrolled("f1", "ada", "enrolled"), Enrolled("f2", "bob", "already"), Enrolled("f3", "eve", "enrolled")]

    handle: Any = SimpleNamespace(call=SimpleNamespace(remote=remote))
    with recording(0.0) as recorder:
        asyncio.run(RemoteGallery(handle, handle).enrol("staff", "contract", []))
    assert recorder.outcomes == {("enrolment", "enrolled"): 2, ("enrolment", "already"): 1}


def test_the_writer_answers_what_it_refuses_and_the_reader_sees_what_it_wrote(tmp_path: Path) -> None:
    async def run() -> None:
        writer, reader = await open_writer(tmp_path), await open_reader(tmp_path)
        await writer.ready()
        await writer.call("create", "staff", KIND, None)
        refused = await writer.call("create", "staff", KIND, None)
        assert isinstance(refused, Refused)
        assert refused.code == "COLLECTION_EXISTS"
        await writer.call("enrol", "staff", "contract", [face("ada")])
        await reader.ready()
        _, [[hit]] = await reader.call("find", "staff", "contract", [np.array([1, 0], np.float32)], 1)
        assert hit.subject == "ada"
        refused = await reader.call("collection", "nowhere")
        assert isinstance(refused, Refused)
        assert refused.code == "COLLECTION_NOT_FOUND"

    asyncio.run(run())


def test_a_reader_that_is_ready_tells_of_damaged_collections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments.gallery, "CHECKED_S", 0.01)

    async def run() -> None:
        writer, reader = await open_writer(tmp_path), await open_reader(tmp_path)
        await writer.call("create", "staff", KIND, None)
        assert await reader.ready() == []
        [folder] = tmp_path.glob("faces-*.lance")
        away = folder.rename(tmp_path / "away")
        async with asyncio.timeout(10):
            while await reader.ready() != ["staff"]:
                await asyncio.sleep(0.02)
            away.rename(folder)
            while await reader.ready() != []:
                await asyncio.sleep(0.02)

    asyncio.run(run())


def test_a_reader_without_a_gallery_is_not_ready_until_there_is_one(tmp_path: Path) -> None:
    async def run() -> None:
        reader = await open_reader(tmp_path)
        with pytest.raises(ValueError, match="not found"):
            await reader.ready()
        await open_writer(tmp_path)
        assert await reader.ready() == []

    asyncio.run(run())


def test_a_change_is_finished_though_its_caller_gives_up(tmp_path: Path) -> None:
    async def run() -> None:
        writer = await open_writer(tmp_path)
        await writer.call("create", "staff", KIND, None)
        call = asyncio.create_task(writer.call("enrol", "staff", "contract", [face("ada")]))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        reader = Reader(Place(str(tmp_path)), 8)
        staff = await reader.collection("staff")
        async with asyncio.timeout(10):
            while await reader.count(staff) != 1:
                await asyncio.sleep(0.02)

    asyncio.run(run())


def test_the_timer_erases_what_was_deleted_and_outlives_a_fault(tmp_path: Path) -> None:
    def kept() -> int:
        return sum(path.read_bytes().count(vector) for path in tmp_path.rglob("*.lance") if path.is_file())

    vector = np.array([0.6, 0.8], np.float32).tobytes()

    async def run() -> None:
        writer = await open_writer(tmp_path, clean_s=0.2)
        await writer.call("create", "staff", KIND, None)
        clean = writer._writer.clean
        faults: list[int] = []

        async def failing() -> Any:
            if not faults:
                faults.append(1)
                raise RuntimeError("the disk is full")
            return await clean()

        writer._writer.clean = failing
        with serve_log() as log:
            ada = NewFace("ada", "photo", "", np.array([0.6, 0.8], np.float32))
            await writer.call("enrol", "staff", "contract", [ada, face("bob")])
            assert kept() == 1
            await writer.call("delete_subjects", "staff", ["ada"])
            await until(lambda: kept() == 0)
        assert any("could not clean" in record.getMessage() for record in log)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), "The gallery's disk is full; nothing was changed"),
        (RuntimeError("lance error: No space left on device (os error 28)"), "The gallery's disk is full"),
        (RuntimeError("lance error: not found"), None),
    ],
)
def test_a_full_disk_is_told_from_other_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str | None
) -> None:
    async def failing(*args: Any) -> None:
        raise error

    async def run() -> Any:
        writer = await open_writer(tmp_path)
        monkeypatch.setattr(Writer, "drop", failing)
        return await writer.call("drop", "staff")

    if message is None:
        with pytest.raises(RuntimeError, match="not found"):
            asyncio.run(run())
        return
    with serve_log() as log:
        refused = asyncio.run(run())
    assert refused.code == "STORAGE_FULL"
    assert refused.message.startswith(message)
    assert log[-1].levelname == "ERROR"
