"""The detector's deployment, without a cluster."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployments import detector, workers
from deployments.detector import DetectorReplica
from deployments.workers import Workers
from graphs.stages import DetectionRequest
from imaging.decode import Limits
from imaging.faces import Detection
from imaging.pick import Pick
from models.device import Device
from tests.fakes import photo

LARGEST = Pick("largest")


def test_an_answer_has_the_replicas_own_time_and_that_of_its_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []
    seen = {b"photo": photo(), b"other": photo()}

    def look(data: bytes, *args: Any) -> Detection:
        asked.append((data, *args))
        return Detection((seen[data],), {}, {"decode": 0.125, "detect": 0.0625})

    looking_with(look, monkeypatch)
    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25, 1.25, 1.5]).__next__))
    replica = DetectorReplica("mtcnn", tmp_path, "onnx", Device(), Limits(), {}, Workers(1))
    timed = asyncio.run(replica.answer(DetectionRequest([b"photo", b"other"], (), LARGEST)))
    assert timed.answer.photos == (seen[b"photo"], seen[b"other"])
    assert timed.seconds == 0.5
    assert timed.steps == timed.answer.steps == {"decode": 0.25, "detect": 0.125}
    assert asked == [(b"photo", (), LARGEST), (b"other", (), LARGEST)]


def looking_with(look: Callable[..., Detection], monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicas look at a photo with `look`."""
    monkeypatch.setattr(detector, "load_detector", lambda *args: None)
    monkeypatch.setattr(detector, "PhotoDetector", lambda *args: SimpleNamespace(one=look))


def test_the_network_and_its_photos_come_as_they_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded: list[Any] = []

    def load(*args: Any) -> str:
        loaded.append(args)
        return "network"

    monkeypatch.setattr(detector, "load_detector", load)
    monkeypatch.setattr(detector, "PhotoDetector", lambda *args: loaded.append(args))
    DetectorReplica(
        "mtcnn", tmp_path, "onnx-float32", Device(threads=2), Limits(max_bytes=5), {"min_face": 20}, Workers(3)
    )
    (card, store, *rest), looking = loaded
    assert (card.name, store.root, rest) == ("mtcnn", tmp_path, ["onnx-float32", Device(threads=2), {"min_face": 20}])
    assert looking == ("network", Limits(max_bytes=5))


@pytest.mark.parametrize("calls", [6, 1])
@pytest.mark.parametrize("count", [1, 2])
def test_it_looks_at_as_many_photos_at_once_as_it_was_told(
    count: int, calls: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whether they come in several calls or in one."""
    met, threads = threading.Barrier(count), set[threading.Thread]()

    def look(*args: Any) -> Detection:
        threads.add(threading.current_thread())
        met.wait(timeout=30)
        return Detection((), {})

    looking_with(look, monkeypatch)

    async def run() -> None:
        replica = DetectorReplica("mtcnn", tmp_path, "onnx", Device(), Limits(), {}, Workers(count))
        asked = DetectionRequest([b""] * (6 // calls), (), Pick())
        await asyncio.gather(*(replica.answer(asked) for _ in range(calls)))

    asyncio.run(run())
    assert len(threads) == count
    assert threading.current_thread() not in threads
