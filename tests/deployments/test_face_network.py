"""The deployment of a network of crops, without a cluster."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from deployments import face_network, workers
from deployments.face_network import FaceNetworkReplica
from deployments.workers import Workers
from models.device import Device
from models.errors import ModelError
from tests.fakes import pull


@pytest.mark.parametrize("model", ["minifasnet", "fr-liveness"])
def test_an_answer_has_the_replicas_own_time(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded: list[str] = []

    def load(card: Any, *args: Any) -> Any:
        loaded.append(card.name)
        return lambda first, second: first[:, 0, 0, 0] * 10.0 + second[:, 0, 0, 0]

    monkeypatch.setattr(face_network, "load_network", load)
    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25]).__next__))
    replica = FaceNetworkReplica(model, tmp_path, "onnx", Device(), Workers(1))
    timed = asyncio.run(replica.answer(numbered(3)))
    assert loaded == [model]
    assert timed.answer.tolist() == [0, 11, 22]
    assert (timed.seconds, timed.steps) == (0.25, {})


def numbered(faces: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two crops of each of so many faces, whose pixels are the face's number."""
    crop = np.tile(np.arange(faces, dtype=np.uint8)[:, None, None, None], (1, 1, 1, 3))
    return crop, crop


@pytest.mark.parametrize(
    ("device", "count", "shares"),
    [("cpu", 2, [1, 2]), ("cpu", 1, [3]), ("cpu", 5, [1, 1, 1]), ("cuda", 2, [3])],
)
def test_a_cpus_workers_share_the_faces_and_a_gpu_gets_all_at_once(
    device: Literal["cpu", "cuda"], count: int, shares: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[int] = []

    def score(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
        assert len(first) == len(second)
        asked.append(len(first))
        return first[:, 0, 0, 0] + second[:, 0, 0, 0]

    monkeypatch.setattr(face_network, "load_network", lambda *args: score)
    replica = FaceNetworkReplica("minifasnet", tmp_path, "onnx", Device(device), Workers(count))
    timed = asyncio.run(replica.answer(numbered(3)))
    assert timed.answer.tolist() == [0, 2, 4]
    assert sorted(asked) == shares


def test_no_face_is_asked_about_in_one_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(face_network, "load_network", lambda *args: lambda crops: np.zeros((len(crops), 4), np.float32))
    replica = FaceNetworkReplica("mobilefacenet", tmp_path, "onnx", Device(), Workers(2))
    assert asyncio.run(replica.answer((np.zeros((0, 112, 112, 3), np.uint8),))).answer.shape == (0, 4)


@pytest.mark.parametrize("count", [1, 2])
def test_it_works_on_as_many_calls_at_once_as_it_was_told(
    count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    met, threads = threading.Barrier(count), set[threading.Thread]()

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        threads.add(threading.current_thread())
        met.wait(timeout=30)
        return np.zeros((len(crops), 1), np.float32)

    monkeypatch.setattr(face_network, "load_network", lambda *args: embed)

    async def run() -> None:
        replica = FaceNetworkReplica("mobilefacenet", tmp_path, "onnx", Device(), Workers(count))
        await asyncio.gather(*(replica.answer((np.zeros((1, 112, 112, 3), np.uint8),)) for _ in range(3 * count)))

    asyncio.run(run())
    assert len(threads) == count
    assert threading.current_thread() not in threads


def test_a_fusion_is_ready_while_the_files_of_its_members_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(face_network, "load_network", lambda *args: None)
    replica = FaceNetworkReplica("crmnet-duo", pull(tmp_path, "crmnet-duo"), "onnx", Device(), Workers(1))
    asyncio.run(replica.ready())
    (tmp_path / "minifasnet" / "crmnet.onnx").unlink()
    with pytest.raises(ModelError, match=r"minifasnet cannot be used, crmnet\.onnx is gone"):
        asyncio.run(replica.ready())
