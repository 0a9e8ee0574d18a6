"""The replicas of a detector and of a network for face crops, and their threads, without a cluster."""

import asyncio
import pickle
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from deployments import replicas, workers
from deployments.replicas import DetectorReplica, FaceNetworkReplica
from deployments.workers import Workers
from graphs.stages import DetectionRequest
from imaging.decode import Limits
from imaging.faces import Detection
from imaging.pick import Pick
from models.device import Device
from models.errors import ModelError
from telemetry.request_record import TimedAnswer
from tests.fakes import photo, pull
from tests.waiting import TIMEOUT_S


async def test_each_photo_is_a_part_with_its_time_and_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    photos = {b"photo": photo(), b"other": photo()}

    def one(data: bytes, *args: Any) -> Detection:
        asked.append((data, *args))
        return Detection((photos[data],), {}, {"decode": 0.125, "detect": 0.0625})

    def made(*args: Any) -> Any:
        asked.append(args)
        return SimpleNamespace(one=one)

    monkeypatch.setattr(replicas, "load_detector", lambda card, store, *args: (card.name, store.root, *args[:-1]))
    monkeypatch.setattr(replicas, "PhotoDetector", made)
    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25, 1.25, 1.5]).__next__))
    device, limits, options = Device(threads=2), Limits(max_bytes=5), {"min_face": 20}
    replica = DetectorReplica("mtcnn", tmp_path, "onnx-float32", device, limits, options, Workers(1))
    timed = await replica.answer(DetectionRequest([b"photo", b"other"], (), Pick("largest")))
    assert timed.answer.photos == tuple(photos.values())
    assert (timed.seconds, timed.steps) == (0.5, {"decode": 0.25, "detect": 0.125})
    network = ("mtcnn", tmp_path, "onnx-float32", device, options)
    assert asked == [(network, limits), *((data, (), Pick("largest")) for data in photos)]


@pytest.mark.parametrize(
    ("device", "user_config", "batches"),
    [
        ("cpu", None, [1, 1, 1]),
        ("cuda", None, [3]),
        ("cpu", {"largest_batch": {"cpu": 2}}, [1, 2]),
        ("cuda", {"largest_batch": {"gpu": 1}}, [1, 1, 1]),
    ],
)
async def test_faces_run_in_batches_of_the_configured_size(
    device: Literal["cpu", "cuda"],
    user_config: dict[str, Any] | None,
    batches: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    calls: list[int] = []

    def score(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
        calls.append(len(first))
        return first[:, 0, 0, 0] + 10 * second[:, 0, 0, 0]

    monkeypatch.setattr(replicas, "load_network", lambda *args: score)
    replica = FaceNetworkReplica("minifasnet", tmp_path, "onnx", Device(device), Workers(1))
    if user_config is not None:
        replica.reconfigure(user_config)
    crop = np.tile(np.arange(3, dtype=np.uint8)[:, None, None, None], (1, 1, 1, 3))
    timed = await replica.answer((crop, crop))
    assert (timed.answer.tolist(), timed.steps) == ([0, 11, 22], {})
    assert timed.seconds > 0
    assert sorted(calls) == batches
    assert (await replica.answer((crop[:0], crop[:0]))).answer.shape == (0,)


async def test_fusion_is_ready_while_the_files_of_its_members_exist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(replicas, "load_network", lambda *args: None)
    replica = FaceNetworkReplica("crmnet-duo", pull(tmp_path, "crmnet-duo"), "onnx", Device(), Workers(1))
    await replica.ready()
    (tmp_path / "minifasnet" / "crmnet.onnx").unlink()
    with pytest.raises(ModelError, match=r"minifasnet cannot be used because crmnet\.onnx is missing"):
        await replica.ready()


@pytest.mark.parametrize("count", [1, 3])
def test_all_parts_share_a_fixed_number_of_threads_and_are_answered_in_order(count: int) -> None:
    # Parts end only when every thread works on one.
    threads, met = list[threading.Thread](), threading.Barrier(count)
    # A replica receives only the number of threads.
    pool = pickle.loads(pickle.dumps(Workers(count)))

    def work(number: int) -> int:
        threads.append(threading.current_thread())
        met.wait(TIMEOUT_S)
        return number

    async def run() -> list[int]:
        calls = (pool.run(partial(work, 2 * number), partial(work, 2 * number + 1)) for number in range(2 * count))
        return [number for timed in await asyncio.gather(*calls) for number in timed.answer]

    assert asyncio.run(run()) == asyncio.run(run()) == [*range(4 * count)]
    assert (len(threads), len({*threads})) == (8 * count, count)
    assert threading.current_thread() not in threads


async def test_only_the_time_in_a_thread_counts_whether_its_call_fails_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(perf_counter=iter([1.0, 1.25, 5.0, 5.5, 6.0, 7.0]).__next__)
    monkeypatch.setattr(workers, "time", clock)
    pool = Workers(1)
    one, other = await asyncio.gather(pool.run(lambda: "one"), pool.run(lambda: "other"))
    assert (one, other) == (TimedAnswer(["one"], 0.25), TimedAnswer(["other"], 0.5))
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 / 0)
    assert pool.busy_s == 1.75


async def test_cancelled_call_never_starts_or_frees_its_thread_at_its_end() -> None:
    begun, released, done = threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        begun.set()
        released.wait(TIMEOUT_S)
        done.append("running")

    pool = Workers(1)
    running = asyncio.create_task(pool.run(hold))
    assert await asyncio.to_thread(begun.wait, TIMEOUT_S)
    queued, last = (asyncio.create_task(pool.run(partial(done.append, name))) for name in ("queued", "last"))
    await asyncio.sleep(0)
    for call in (running, queued):
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    released.set()
    await last
    assert done == ["running", "last"]
