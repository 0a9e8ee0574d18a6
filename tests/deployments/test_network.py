"""The deployment of a network of crops, without a cluster."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deployments import network
from deployments.network import Network
from models.device import Device


@pytest.mark.parametrize("model", ["minifasnet", "mobilefacenet"])
def test_an_answer_has_the_replicas_own_time(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def load(card: Any, *args: Any) -> Any:
        return lambda *crops: (card.name, crops)

    monkeypatch.setattr(network, "load_network", load)
    monkeypatch.setattr(network, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25]).__next__))
    deployment: Any = Network
    replica = deployment.func_or_class(model, tmp_path, "onnx", Device())
    crops = np.zeros((2, 3, 1, 1, 3), np.uint8)
    timed = replica.run(*crops)
    name, (first, second) = timed.answer
    assert name == model
    assert first is not second
    assert first.shape == second.shape == (3, 1, 1, 3)
    assert (timed.seconds, timed.steps) == (0.25, {})
