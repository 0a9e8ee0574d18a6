"""The pipeline of POST /match with nothing around it: no Ray, no HTTP, one process."""

import sys
import time
from pathlib import Path

import numpy as np

from imaging.decode import Limits
from models.__main__ import DEFAULT_STORE
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector, load_network
from models.store import Store


class BarePipeline:
    """Detector, liveness and embedder of the default configuration, called one after the other."""

    def __init__(self) -> None:
        store, device = Store(DEFAULT_STORE), Device()
        self._detect = PhotoDetector(load_detector(card("mtcnn"), store, "onnx", device, {}), Limits())
        self._liveness, self._embedder = card("deep-tree"), card("mobilefacenet")
        self._score = load_network(self._liveness, store, "onnx", device)
        self._embed = load_network(self._embedder, store, "onnx", device)

    def match(self, pair: tuple[bytes, bytes]) -> float:
        """The cosine similarity of the faces in two encoded photos; liveness is scored on the way."""
        found = self._detect(pair, (*self._liveness.crops, *self._embedder.crops))
        self._score(*(found.crops[spec] for spec in self._liveness.crops))
        first, second = self._embed(*(found.crops[spec] for spec in self._embedder.crops))
        return float(np.dot(first, second))


def main() -> None:
    """Match the pair named on the command line for some seconds; print each match's seconds, a line each."""
    first, second, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    pair = (first.read_bytes(), second.read_bytes())
    pipeline = BarePipeline()
    pipeline.match(pair)
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        pipeline.match(pair)
        print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
