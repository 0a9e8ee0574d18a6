"""Exporting a model to the files that the replicas load.

`python -m models.export CARD FOLDER` is one export in a process of its own: torch and TensorFlow do
not live in one process.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import onnx

from models.card import Card
from models.catalogue import card as card_named
from models.errors import ModelError
from models.store import Store, scratch


def export(card: Card, store: Store) -> None:
    """Make the exports of `card` from its weights in the store, and note that it is ready.

    Raises:
        ModelError: the exporter failed; its output is in `export.log` beside the weights.
    """
    folder = store.folder(card)
    with scratch(store.root) as work:
        for file in card.files:
            (work / file.name).symlink_to((folder / file.name).resolve())
        log = folder / "export.log"
        # Without GPUs, and without TensorFlow's greetings: the export is the same and the log is short.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
        with log.open("wb") as output:
            command = [sys.executable, "-m", "models.export", card.name, str(work)]
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        if done.returncode:
            raise ModelError(f"the export of {card.name} failed: see {log}")
        for name in card.exports:
            (work / name).replace(folder / name)
    log.unlink()
    store.finish(card)


def main() -> None:
    """Write the exports of the card named on the command line into a folder that has its weights."""
    card, folder = card_named(sys.argv[1]), Path(sys.argv[2])
    importlib.import_module(f"models.architectures.{card.architecture}").export(card, folder)
    if card.int8:
        # Only now: few exports need ONNX Runtime's quantisation.
        from models.int8 import quantised, read_ranges

        floats = onnx.load(folder / card.exports[0])
        onnx.save(quantised(floats, read_ranges(card)), folder / card.int8)


if __name__ == "__main__":
    main()
