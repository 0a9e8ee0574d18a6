"""The simulated device."""

from types import SimpleNamespace

import numpy as np
import pytest

from models import simulated
from models.catalogue import card
from models.device import Device, Simulation
from models.engines import load_detector, load_network
from models.simulated import simulated_card
from models.store import Store


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(simulated, "time", SimpleNamespace(sleep=seconds.append))
    return seconds


DEVICE = Device("cuda", simulation=Simulation(0.5, 0.125))


def test_call_takes_a_fixed_time_plus_a_little_per_face(store: Store, slept: list[float]) -> None:
    network = load_network(card("mobilefacenet"), store, "onnx", DEVICE)
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    together = network(crops)
    np.testing.assert_array_equal(together, np.concatenate([network(crop[None]) for crop in crops]))
    assert together.shape == (3, 192)
    assert slept == [0.875, 0.625, 0.625, 0.625]


def test_detector_reports_the_whole_photo_after_one_call(store: Store, slept: list[float]) -> None:
    detector = load_detector(card("centerface"), store, "onnx", DEVICE, {})
    slept.clear()
    [face] = detector.detect(np.zeros((60, 80, 3), dtype=np.uint8))
    assert (face.box, face.score, slept) == ((0, 0, 80, 60), 1.0, [0.625])


def test_embeddings_cannot_be_confused_with_real_ones() -> None:
    real = card("mobilefacenet")
    assert simulated_card(real).name == "simulated-mobilefacenet"
    assert simulated_card(real).embedding_contract != real.embedding_contract
