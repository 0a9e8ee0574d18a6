"""The detector's deployment, without a cluster."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployments import detector
from deployments.detector import Detector
from imaging.decode import Limits
from imaging.faces import Detection
from models.device import Device
from tests.fakes import photo


def test_an_answer_has_the_replicas_own_time_and_that_of_its_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []
    detection = Detection((photo(),), {}, {"decode": 0.125, "detect": 0.0625})

    def look(*args: Any) -> Detection:
        asked.append(args)
        return detection

    monkeypatch.setattr(detector, "load_detector", lambda *args: None)
    monkeypatch.setattr(detector, "PhotoDetector", lambda *args: look)
    monkeypatch.setattr(detector, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25]).__next__))
    deployment: Any = Detector
    replica = deployment.func_or_class("mtcnn", tmp_path, "onnx", Device(), Limits(), {})
    timed = replica.detect([b"photo"], (), True)
    assert timed.answer is detection
    assert timed.seconds == 0.25
    assert timed.steps == detection.steps
    assert asked == [([b"photo"], (), True)]
