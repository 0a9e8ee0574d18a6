"""The deployment of a network for face crops, without a cluster."""

import asyncio
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
def test_answer_has_the_replicas_own_time(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded: list[str] = []

    def load(card: Any, *args: Any) -> Any:
        loaded.append(card.name)
        return lambda first, second: first[:, 0, 0, 0] * 10.0 + second[:, 0, 0, 0]

    monkeypatch.setattr(face_network, "load_network", load)
    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25]).__next__))
    replica = FaceNetworkReplica(model, tmp_path, "onnx", Device(), Workers(1))
    timed = asyncio.run(replica.answer(numbered(3)))
    assert (loaded, timed.answer.tolist()) == ([model], [0, 11, 22])
    assert (timed.seconds, timed.steps) == (0.25, {})


def numbered(faces: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two crops of each face, filled with the face's number."""
    crop = np.tile(np.arange(faces, dtype=np.uint8)[:, None, None, None], (1, 1, 1, 3))
    return crop, crop


@pytest.mark.parametrize(
    ("device", "count", "faces", "shares"),
    [("cpu", 2, 3, [1, 2]), ("cpu", 1, 3, [3]), ("cpu", 5, 3, [1, 1, 1]), ("cuda", 2, 3, [3]), ("cpu", 2, 0, [0])],
)
def test_workers_share_the_faces_on_a_cpu_but_not_on_a_gpu(
    device: Literal["cpu", "cuda"],
    count: int,
    faces: int,
    shares: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    calls: list[int] = []

    def score(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
        assert len(first) == len(second)
        calls.append(len(first))
        return first[:, 0, 0, 0] + second[:, 0, 0, 0]

    monkeypatch.setattr(face_network, "load_network", lambda *args: score)
    replica = FaceNetworkReplica("minifasnet", tmp_path, "onnx", Device(device), Workers(count))
    timed = asyncio.run(replica.answer(numbered(faces)))
    assert timed.answer.tolist() == [2 * number for number in range(faces)]
    assert sorted(calls) == shares


def test_fusion_is_ready_while_the_files_of_its_members_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(face_network, "load_network", lambda *args: None)
    replica = FaceNetworkReplica("crmnet-duo", pull(tmp_path, "crmnet-duo"), "onnx", Device(), Workers(1))
    asyncio.run(replica.ready())
    (tmp_path / "minifasnet" / "crmnet.onnx").unlink()
    with pytest.raises(ModelError, match=r"minifasnet cannot be used, crmnet\.onnx is gone"):
        asyncio.run(replica.ready())
