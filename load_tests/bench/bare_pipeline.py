"""`python -m load_tests.bench.bare_pipeline ROUTE PHOTO PHOTO FILE COUNT`: a route's models, without Ray and HTTP.

COUNT processes call the networks of the default configuration one after the other, each on one thread as in its
replicas, until SIGTERM. FILE receives a record for each comparison, see `load_tests.records`.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from imaging.decode import Limits
from imaging.pick import Pick
from load_tests.records import Request, write
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector, load_network
from models.store import DEFAULT_STORE, Store

PIPELINES: dict[str, tuple[str, Pick, dict[str, str]]] = {
    "/match": ("mtcnn", Pick("one", 0.33), {"liveness": "fr-liveness", "embedder": "mobilefacenet"}),
    "/compare": ("mtcnn", Pick("prominent"), {"embedder": "facenet"}),
    "/mediapipe": ("mediapipe-full-range", Pick("prominent"), {"embedder": "facenet"}),
}
"""By route: the card of its detector, the faces that count, and the cards of its other models by task."""


class BarePipeline:
    """A route's models in this process, on CPUs."""

    def __init__(self, route: str) -> None:
        store, device = Store(DEFAULT_STORE), Device(threads=1)
        detector, self._pick, networks = PIPELINES[route]
        self._detect = PhotoDetector(load_detector(card(detector), store, "onnx", device, {}), Limits())
        self._networks = {
            task: (card(name).crops, load_network(card(name), store, "onnx", device)) for task, name in networks.items()
        }

    def compare(self, pair: tuple[bytes, bytes]) -> tuple[float, dict[str, float]]:
        """Compare the faces of two encoded photos, each of which must show a face.

        Returns:
            Cosine similarity, and the milliseconds of each step, by its name in `facegraph.step_times`.
        """
        moments, readings = [time.perf_counter()], []
        crops = dict.fromkeys(spec for specs, _ in self._networks.values() for spec in specs)
        detection = self._detect(pair, tuple(crops), self._pick)
        moments.append(time.perf_counter())
        for specs, network in self._networks.values():
            readings.append(network(*(detection.crops[spec] for spec in specs)))
            moments.append(time.perf_counter())
        # The embedder comes last.
        first, second = readings[-1].astype(np.float64)
        similarity = float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
        names = ("detector-busy", *(f"{task}-busy" for task in self._networks))
        steps = {**detection.steps, **dict(zip(names, np.diff(moments).tolist(), strict=True))}
        steps |= {"networks-busy": moments[-1] - moments[1], "total": moments[-1] - moments[0]}
        return similarity, {name: 1000 * seconds for name, seconds in steps.items()}


def main() -> None:
    """Repeatedly compare the photos given on the command line."""
    route, first, second, path, count = sys.argv[1:]
    os.setpgrp()
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    for _ in range(int(count) - 1):
        if os.fork() == 0:
            break
    pair, pipeline = (Path(first).read_bytes(), Path(second).read_bytes()), BarePipeline(route)
    with open(path, "a", buffering=1, encoding="utf-8") as file:
        while True:
            similarity, steps = pipeline.compare(pair)
            details = {"similarity": similarity, "process": os.getpid(), "steps": steps}
            write(file, Request(time.monotonic(), route, steps["total"], None, details))


if __name__ == "__main__":
    main()
