"""Replicas of the stages: of detectors, and of models that read face crops."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.batching import Batcher
from deployments.settings import ReplicaSettings
from deployments.usage import Usage
from deployments.workers import Workers
from graphs.stages import DetectionRequest, FaceCrops
from imaging.decode import Limits
from imaging.faces import Detection
from models.catalogue import card, networks_of
from models.detection import PhotoDetector
from models.device import Device, Engine
from models.engines import RawNetwork, load_detector, load_network
from models.store import Store
from telemetry.request_record import TimedAnswer, covered
from telemetry.tracing import add_steps


class ModelReplica:
    """Runs one model, or all members of a fusion.

    Args:
        model: name of the model's card.
        store: folder of the pulled models.
        device: the model's device.
        workers: threads that run the model.
    """

    def __init__(self, model: str, store: Path, device: Device, workers: Workers) -> None:
        self._card, self._store, self._device, self._workers = card(model), Store(store), device, workers
        self._batchers: list[Batcher] = []
        self._usage = Usage(lambda: workers.busy_s, workers.count)

    def batcher(self, network: RawNetwork, workers: Workers) -> Batcher:
        """Return `network` with concurrent calls combined into batches, at first with the default maximum size."""
        made = Batcher(network, workers, ReplicaSettings().max_items(self._device))
        self._batchers.append(made)
        return made

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Apply the deployment's `user_config`, at the start and when it changes. Unknown keys are rejected."""
        max_items = ReplicaSettings(**user_config).max_items(self._device)
        for each in self._batchers:
            each.max_items = max_items

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Return what the replica uses; Serve passes it on to the autoscaling policy."""
        return self._usage.measure()

    async def ready(self) -> None:
        """Check that the model's files are still present, so that a new replica can start.

        Raises:
            ModelError: files of the model are missing.
        """
        for network in networks_of(self._card):
            self._store.check_presence(network)


class DetectorReplica(ModelReplica):
    """Decodes photos, finds faces and cuts crops with `models.detection.PhotoDetector`.

    Args:
        model, store, device, workers: as in `ModelReplica`.
        engine: runtime of the model.
        limits: limits of the decode gate.
        options: keyword arguments of the detector's class.
    """

    def __init__(
        self,
        model: str,
        store: Path,
        engine: Engine,
        device: Device,
        limits: Limits,
        options: dict[str, Any],
        workers: Workers,
    ) -> None:
        super().__init__(model, store, device, workers)
        detector = load_detector(self._card, self._store, engine, device, options, self._batched)
        self._photos = PhotoDetector(detector, limits)

    def _batched(self, network: RawNetwork) -> Batcher:
        # A separate thread, so that the workers decode the next photos while it waits for the GPU.
        return self.batcher(network, Workers(1))

    async def answer(self, question: DetectionRequest) -> TimedAnswer[Detection]:
        """Find faces in encoded photos, one photo per worker, and cut crops of the faces that count."""
        crops, pick = question.crops, question.pick
        found = await self._workers.run(*(partial(self._photos.one, photo, crops, pick) for photo in question.photos))
        detection = Detection.joined(found.answer, crops)
        add_steps(detection.steps)
        return TimedAnswer(detection, found.seconds, detection.steps)


class FaceNetworkReplica(ModelReplica):
    """Runs a model that reads face crops.

    Args:
        model, store, device, workers: as in `ModelReplica`.
        engine: runtime of the model.
    """

    def __init__(self, model: str, store: Path, engine: Engine, device: Device, workers: Workers) -> None:
        super().__init__(model, store, device, workers)
        network = load_network(self._card, self._store, engine, device)
        self._batches = self.batcher(lambda *crops: (network(*crops),), workers)

    async def answer(self, question: FaceCrops) -> TimedAnswer[NDArray[np.float32]]:
        """Return the model's outputs for n faces, float32 (n, *shape), where `shape` is the card's."""
        # Without faces, the model still gets one call, for the shape of its outputs.
        size, faces = self._batches.max_items, len(question[0])
        starts = range(0, max(faces, 1), size)
        ran = await self._batches.run(tuple(crop[start : start + size] for crop in question) for start in starts)
        answer = np.concatenate([part.outputs[0] for part in ran])
        return TimedAnswer(answer, covered(part.interval for part in ran))
