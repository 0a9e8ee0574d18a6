"""The liveness stage: CRMNET, whichever network the configuration puts behind that name."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ray import serve

from models.catalogue import card
from models.device import Device
from models.engines import Engine, load_network
from models.store import Store


@serve.deployment
class Liveness:
    """One network of crops; see `models.engines`.

    Args:
        model: name of the network's card.
        store: folder of the models.
        engine, device: what runs it, and where.
    """

    def __init__(self, model: str, store: Path, engine: Engine, device: Device) -> None:
        self._card, self._store = card(model), Store(store)
        self._network = load_network(self._card, self._store, engine, device)

    def score(self, *crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The live probability, float32 (n), of n faces: uint8 (n, side, side, 3) RGB a crop of the card."""
        return self._network(*crops)

    def ready(self) -> None:
        """Answer, which a replica does only once its network is loaded.

        Raises:
            ModelError: the model's files are gone, so that no other replica could start.
        """
        self._store.check_presence(self._card)
