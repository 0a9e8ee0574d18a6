"""Networks on a simulated device, to test and demonstrate batches, queues and scaling without a GPU.

A call takes a fixed time plus a little per item and uses no CPU, as on a GPU. The answers mean nothing.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from imaging.faces import Face, Pixels
from models.card import Card
from models.detection import Detector, whole_photo
from models.device import Simulation

SIMULATED = "simulated"
"""Prefix of the names of simulated models in responses, and the version of their preprocessing."""

PHOTO_SIDE = 8
"""Side of the input of a simulated detector, in pixels."""


def simulated_card(card: Card) -> Card:
    """Return the card of the simulated model, whose embeddings cannot be compared with those of the real one."""
    return card.model_copy(update={"name": f"{SIMULATED}-{card.name}", "preprocessing_version": SIMULATED})


class SimulatedNetwork:
    """Takes the time of a `Simulation`, one call at a time, and returns pixels as numbers from 0 to 1.

    Args:
        shape: shape of the answer for one item.
        simulation: how long a call takes.
    """

    def __init__(self, shape: tuple[int, ...], simulation: Simulation) -> None:
        self._shape, self._simulation, self._device = shape, simulation, Lock()

    def __call__(self, *arrays: Pixels) -> NDArray[np.float32]:
        """Return float32 (n, *shape) for arrays whose first axis has the length n."""
        items = len(arrays[0])
        with self._device:
            time.sleep(self._simulation.call_s + self._simulation.item_s * items)
        pixels = arrays[0].reshape(items, -1)
        positions = np.linspace(0, pixels.shape[1] - 1, int(np.prod(self._shape)), dtype=np.int64)
        return (pixels[:, positions].astype(np.float32) / np.float32(255)).reshape(items, *self._shape)


class SimulatedDetector(Detector):
    """Reports the whole photo as a face, after one call of a simulated network.

    Args:
        network: from photos, uint8 (n, `PHOTO_SIDE`, `PHOTO_SIDE`, 3), to any numbers.
    """

    def __init__(self, network: Callable[[Pixels], object]) -> None:
        self._network = network

    def detect(self, pixels: Pixels) -> list[Face]:
        """Return one face that covers `pixels`, uint8 (height, width, 3), with the score 1."""
        self._network(np.zeros((1, PHOTO_SIDE, PHOTO_SIDE, 3), dtype=np.uint8))
        return [replace(whole_photo(pixels), score=1.0)]
