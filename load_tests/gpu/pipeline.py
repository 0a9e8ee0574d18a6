"""Photos per second from the encoded photo to the embedding, with batches as in the replicas."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deployments.batching import Batcher
from deployments.workers import Workers
from imaging.decode import Limits
from load_tests.gpu.runtimes import Runtime
from load_tests.gpu.sample import DETECTOR_NAME, PICK, Sample
from models.catalogue import card
from models.detection import PhotoDetector
from models.engines import RawNetwork, load_detector, load_network
from models.errors import ModelError
from models.store import Store

EMBEDDER_NAME = "mobilefacenet"
LARGEST_BATCH = {"cpu": 1, "cuda": 32}
"""Maximum number of items in a batch, as in `deployments.settings`."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Photos per second of a pipeline: its models with their runtimes, and the number of its threads."""

    detector: str
    embedder: str
    threads: int
    photos_per_s: float


def pipeline_rates(
    store: Store, runtimes: tuple[Runtime, Runtime], sample: Sample, threads: Sequence[int], seconds: float
) -> list[Rate]:
    """Measure each number of threads for `seconds`. A thread decodes a photo while others wait for the device.

    Args:
        runtimes: the first runs the detector, and the embedder if it can; otherwise the second runs the embedder.

    Raises:
        ModelError: the models do not run in these runtimes.
    """
    runtime, other = runtimes
    embedder = card(EMBEDDER_NAME)

    def batched(network: RawNetwork) -> Batcher:
        return Batcher(network, Workers(1), LARGEST_BATCH[runtime.device.kind])

    detector = load_detector(card(DETECTOR_NAME), store, runtime.engine, runtime.device, {}, batched)
    detect = PhotoDetector(detector, Limits())
    try:
        network, chosen = load_network(embedder, store, runtime.engine, runtime.device), runtime
    except ModelError:
        network, chosen = load_network(embedder, store, other.engine, other.device), other
    embed = batched(lambda *crops: (network(*crops),))

    def embed_photos(end: float) -> int:
        done = 0
        while not done or time.perf_counter() < end:
            found = detect.one(sample.photos[done % len(sample.photos)], embedder.crops, PICK)
            embed(*(found.crops[spec] for spec in embedder.crops))
            done += 1
        return done

    rates = []
    for number in threads:
        with ThreadPoolExecutor(number) as pool:
            # A warm-up: one photo per thread.
            list(pool.map(embed_photos, [0.0] * number))
            started = time.perf_counter()
            photos = sum(pool.map(embed_photos, [started + seconds] * number))
            rate = photos / (time.perf_counter() - started)
        rates.append(Rate(f"{DETECTOR_NAME}, {runtime}", f"{EMBEDDER_NAME}, {chosen}", number, rate))
    return rates
