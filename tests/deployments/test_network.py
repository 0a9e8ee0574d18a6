"""The deployment of a network of crops, without a cluster."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deployments import network, workers
from deployments.network import Network
from deployments.workers import Workers
from models.device import Device


@pytest.mark.parametrize("model", ["minifasnet", "mobilefacenet"])
def test_an_answer_has_the_replicas_own_time(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def load(card: Any, *args: Any) -> Any:
        return lambda *crops: (card.name, crops)

    monkeypatch.setattr(network, "load_network", load)
    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25]).__next__))
    replica = Network(model, tmp_path, "onnx", Device(), Workers(1))
    crops = np.zeros((2, 3, 1, 1, 3), np.uint8)
    timed: Any = asyncio.run(replica.run(*crops))
    name, (first, second) = timed.answer
    assert name == model
    assert first is not second
    assert first.shape == second.shape == (3, 1, 1, 3)
    assert (timed.seconds, timed.steps) == (0.25, {})


@pytest.mark.parametrize("count", [1, 2])
def test_it_works_on_as_many_calls_at_once_as_it_was_told(
    count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    met, threads = threading.Barrier(count), set[threading.Thread]()

    def embed(crops: Any) -> None:
        threads.add(threading.current_thread())
        met.wait(timeout=30)

    monkeypatch.setattr(network, "load_network", lambda *args: embed)

    async def run() -> None:
        replica = Network("mobilefacenet", tmp_path, "onnx", Device(), Workers(count))
        await asyncio.gather(*(replica.run(np.zeros((1, 112, 112, 3), np.uint8)) for _ in range(3 * count)))

    asyncio.run(run())
    assert len(threads) == count
    assert threading.current_thread() not in threads
