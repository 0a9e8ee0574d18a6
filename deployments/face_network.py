"""The stage of a model that reads face crops."""

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
    """Runs one model, or all members of a fusion.

    Args:
        model: name of the model's card.
        store: folder of the models.
        engine, device: runtime and device.
        workers: threads that run the model.
    """

    def __init__(self, model: str, store: Path, engine: Engine, device: Device, workers: Workers) -> None:
        self._card, self._store = card(model), Store(store)
        self._network = load_network(self._card, self._store, engine, device)
        self._workers = workers
        # On a CPU, the time grows with the number of faces, so they are split between the threads.
        self._parts = workers.count if device.kind == "cpu" else 1

    async def answer(self, question: FaceCrops) -> TimedAnswer[NDArray[np.float32]]:
        """Return the model's outputs for n faces: float32 (n, *shape)."""
        parts = max(1, min(self._parts, len(question[0])))
        shares = zip(*(np.array_split(crop, parts) for crop in question), strict=True)
        answers = await self._workers.run(*(partial(self._network, *share) for share in shares))
        return TimedAnswer(np.concatenate(answers.answer), answers.seconds)

    async def ready(self) -> None:
        """Check that the model's files are still present, so that a new replica can start.

        Raises:
            ModelError: files of the model are missing.
        """
        for network in networks_of(self._card):
            self._store.check_presence(network)
