"""The detector's deployment, without a cluster."""

import asyncio
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


def test_each_photo_is_a_part_with_its_time_and_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    photos = {b"photo": photo(), b"other": photo()}

    def one(data: bytes, *args: Any) -> Detection:
        asked.append((data, *args))
        return Detection((photos[data],), {}, {"decode": 0.125, "detect": 0.0625})

    monkeypatch.setattr(detector, "load_detector", lambda *args: None)
    monkeypatch.setattr(detector, "PhotoDetector", lambda *args: SimpleNamespace(one=one))
    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25, 1.25, 1.5]).__next__))
    replica = DetectorReplica("mtcnn", tmp_path, "onnx", Device(), Limits(), {}, Workers(1))
    timed = asyncio.run(replica.answer(DetectionRequest([b"photo", b"other"], (), Pick("largest"))))
    assert timed.answer.photos == tuple(photos.values())
    assert timed.seconds == 0.5
    assert timed.steps == timed.answer.steps == {"decode": 0.25, "detect": 0.125}
    assert asked == [(data, (), Pick("largest")) for data in photos]


def test_detector_is_loaded_with_its_options_and_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded: list[Any] = []

    def load(*args: Any) -> str:
        loaded.append(args)
        return "network"

    monkeypatch.setattr(detector, "load_detector", load)
    monkeypatch.setattr(detector, "PhotoDetector", lambda *args: loaded.append(args))
    device, limits, options = Device(threads=2), Limits(max_bytes=5), {"min_face": 20}
    DetectorReplica("mtcnn", tmp_path, "onnx-float32", device, limits, options, Workers(3))
    (card, store, *rest), looking = loaded
    assert (card.name, store.root, rest) == ("mtcnn", tmp_path, ["onnx-float32", device, options])
    assert looking == ("network", limits)
