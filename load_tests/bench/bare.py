"""`python -m load_tests.bench.bare ROUTE PHOTO PHOTO`: the pipeline of a route with nothing around it, in one process.

No Ray and no HTTP: the stages of the default configuration, each network on as many threads as its replicas
have, are called one after the other.
"""

import math
import sys
import time
from pathlib import Path
from typing import cast

from deployments.settings import StageArgs
from graphs.compare import distances
from graphs.extract import places, the_face
from graphs.settings import AppArgs
from graphs.stages import first_of
from imaging.faces import Photo
from load_tests.routes import ROUTES, Route, configured
from load_tests.work import Answer, work
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector, load_network
from models.store import Store


class BarePipeline:
    """A route's detector, liveness and embedder in this process, on its CPUs.

    Args:
        args: of the configuration.
        route: whose stages are loaded.
    """

    def __init__(self, args: AppArgs, route: Route) -> None:
        store = Store(args.models_dir)
        detector = args.detectors[route.detector]
        loaded = load_detector(card(detector.model), store, detector.engine, _device(detector), detector.options)
        self._pick = route.pick
        self._detect = PhotoDetector(loaded, args.limits.decode)
        networks = {"embedder": first_of(args.embedders, *route.embedders)}
        if route.liveness is not None:
            networks = {"liveness": args.liveness[route.liveness], **networks}
        self._networks = {
            kind: (card(stage.model).crops, load_network(card(stage.model), store, stage.engine, _device(stage)))
            for kind, stage in networks.items()
        }

    def compare(self, pair: tuple[bytes, bytes]) -> Answer:
        """Compare the faces of two encoded photos that count.

        The steps have the names that the service's have in `facegraph.step_times`, and ``compare``.

        Raises:
            Refused: a photo has no face.
        """
        started = time.perf_counter()
        crops = [spec for specs, _ in self._networks.values() for spec in specs]
        detection = self._detect(pair, tuple(dict.fromkeys(crops)), self._pick)
        for photo in detection.photos:
            # The photos are this project's own: the gate refuses neither.
            the_face(cast(Photo, photo), self._pick)
        faces = [rows[0] for rows in places(detection)]
        reached = time.perf_counter()
        steps = {**detection.steps, "detector-busy": reached - started, "networks-busy": 0.0}
        answers = {}
        for kind, (specs, network) in self._networks.items():
            answers[kind] = network(*(detection.crops[spec][faces] for spec in specs))
            left, reached = reached, time.perf_counter()
            steps[f"{kind}-busy"] = reached - left
            steps["networks-busy"] += reached - left
        similarity = distances(*answers["embedder"]).cosine
        ended = time.perf_counter()
        steps |= {"compare": ended - reached, "total": ended - started}
        milliseconds = {name: seconds * 1000 for name, seconds in steps.items()}
        return Answer("answered", milliseconds["total"], similarity, milliseconds)


def _device(stage: StageArgs) -> Device:
    return Device(threads=math.ceil(stage.cpus))


def main() -> None:
    """Compare the photos of the command line as long as the parent has it."""
    route, first, second = sys.argv[1:]
    pair = (Path(first).read_bytes(), Path(second).read_bytes())
    pipeline = BarePipeline(configured(), ROUTES[route])
    work([lambda: pipeline.compare(pair)])


if __name__ == "__main__":
    main()
