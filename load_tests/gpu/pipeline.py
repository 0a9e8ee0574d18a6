"""Photos per second from the encoded photo to the embedding, with batches as in the replicas."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from deployments.batching import Batcher
from deployments.settings import ReplicaSettings
from deployments.workers import Workers
from imaging.decode import Limits
from load_tests.gpu.runtimes import Runtime
from load_tests.gpu.sample import DETECTOR_NAME, PICK, PhotoSample
from models.catalogue import card
from models.detection import PhotoDetector
from models.engines import RawNetwork, load_detector, load_network
from models.store import Store

EMBEDDER_NAME = "mobilefacenet"


@dataclass(frozen=True, slots=True)
class PipelineRate:
    """Photos per second of a pipeline: its models with their runtimes, and the number of its threads."""

    detector: str
    embedder: str
    threads: int
    photos_per_s: float


def pipeline_rates(
    store: Store, detector: Runtime, embedder: Runtime, sample: PhotoSample, threads: Sequence[int], seconds: float
) -> Iterator[PipelineRate]:
    """Measure each number of threads for `seconds`. A thread decodes a photo while others wait for the device.

    Args:
        detector, embedder: the models' runtimes.

    Raises:
        ModelError: a model does not run in its runtime.
    """

    def batched(runtime: Runtime, network: RawNetwork) -> Batcher:
        return Batcher(network, Workers(1), ReplicaSettings().max_items(runtime.device))

    batches, specs = partial(batched, detector), card(EMBEDDER_NAME).crops
    cascade = load_detector(card(DETECTOR_NAME), store, detector.engine, detector.device, {}, batches)
    network = load_network(card(EMBEDDER_NAME), store, embedder.engine, embedder.device)
    detect, embed = PhotoDetector(cascade, Limits()), batched(embedder, lambda *crops: (network(*crops),))

    def embed_photos(end: float) -> int:
        done = 0
        while not done or time.perf_counter() < end:
            found = detect.one(sample.photos[done % len(sample.photos)], specs, PICK)
            embed(*(found.crops[spec] for spec in specs))
            done += 1
        return done

    for number in threads:
        with ThreadPoolExecutor(number) as pool:
            # A warm-up: one photo per thread.
            list(pool.map(embed_photos, [0.0] * number))
            started = time.perf_counter()
            photos = sum(pool.map(embed_photos, [started + seconds] * number))
            rate = photos / (time.perf_counter() - started)
        yield PipelineRate(f"{DETECTOR_NAME}, {detector}", f"{EMBEDDER_NAME}, {embedder}", number, rate)
