"""Export a model to the files that replicas load.

Each export runs in a process of its own, `python -m models.export CARD FOLDER`.
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
    """Export `card` from its weights in the store and mark it as ready.

    Raises:
        ModelError: the exporter failed. Its output is in `export.log` beside the weights.
    """
    folder = store.folder(card)
    with scratch(store.root) as work:
        for file in card.files:
            (work / file.name).symlink_to((folder / file.name).resolve())
        log = folder / "export.log"
        # Without a GPU, and without TensorFlow's start messages in the log.
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
    """Export the card named on the command line, in a folder that has its weights."""
    card, folder = card_named(sys.argv[1]), Path(sys.argv[2])
    importlib.import_module(f"models.architectures.{card.architecture}").export(card, folder)
    if card.int8:
        # Imported late, because few exports need ONNX Runtime's quantisation.
        from models.int8 import quantised, read_ranges

        floats = onnx.load(folder / card.exports[0])
        onnx.save(quantised(floats, read_ranges(card)), folder / card.int8)


if __name__ == "__main__":
    main()
