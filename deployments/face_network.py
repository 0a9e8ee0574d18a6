"""A stage whose network reads crops of faces."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deployments.workers import Workers
from graphs.stages import FaceCrops
from models.catalogue import card, networks_of
from models.device import Device
from models.engines import Engine, load_network
from models.store import Store
from telemetry.request_record import TimedAnswer


class FaceNetworkReplica:
    """One network, or the members of one fusion; see `models.engines`.

    Args:
        model: name of the network's card.
        store: folder of the models.
        engine, device: what runs it, and where.
        workers: what it runs in.
    """

    def __init__(self, model: str, store: Path, engine: Engine, device: Device, workers: Workers) -> None:
        self._card, self._store = card(model), Store(store)
        self._network = load_network(self._card, self._store, engine, device)
        self._workers = workers
        # A CPU takes twice as long for two faces as for one, so they may as well run side by side; a GPU does not.
        self._parts = workers.count if device.kind == "cpu" else 1

    async def answer(self, question: FaceCrops) -> TimedAnswer[NDArray[np.float32]]:
        """What the task of the card says of n faces: float32 (n, *shape)."""
        parts = max(1, min(self._parts, len(question[0])))
        shares = zip(*(np.array_split(crop, parts) for crop in question), strict=True)
        answers = await self._workers.run(*(partial(self._network, *share) for share in shares))
        return TimedAnswer(np.concatenate(answers.answer), answers.seconds)

    async def ready(self) -> None:
        """Answer, which a replica does only once its network is loaded.

        Raises:
            ModelError: the model's files are gone, so that no other replica could start.
        """
        for network in networks_of(self._card):
            self._store.check_presence(network)
