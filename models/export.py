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
from models.device import Device
from models.errors import ModelError
from models.onnx_session import OnnxNetwork
from models.store import Store, scratch
from models.tasks import FACE_TASKS
from models.trial import check_answer

REFUSAL = "refusal.txt"
"""The file with the sentence of a `ModelError` that ended the process."""


def export(card: Card, store: Store) -> None:
    """Export `card` from its weights in the store and mark it as ready.

    Raises:
        ModelError: the network does not fit its card, or the exporter failed. In the second case its output is in
            `export.log` beside the weights.
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
        if (work / REFUSAL).is_file():
            log.unlink()
            refusal = (work / REFUSAL).read_text("utf-8").replace(str(work), str(folder))
            raise ModelError(f"the model {card.name} cannot be exported: {refusal}")
        if done.returncode:
            raise ModelError(f"the export of {card.name} failed: see {log}")
        for name in card.exports:
            (work / name).replace(folder / name)
    log.unlink()
    store.finish(card)


def main() -> None:
    """Export the card named on the command line, in a folder that has its weights."""
    card, folder = card_named(sys.argv[1]), Path(sys.argv[2])
    try:
        _export(card, folder)
    except ModelError as error:
        (folder / REFUSAL).write_text(str(error), "utf-8")
        sys.exit(str(error))


def _export(card: Card, folder: Path) -> None:
    importlib.import_module(f"models.architectures.{card.architecture}").export(card, folder)
    if card.int8:
        # Imported late, because few exports need ONNX Runtime's quantisation.
        from models.int8 import quantised, read_ranges

        floats = onnx.load(folder / card.exports[0])
        onnx.save(quantised(floats, read_ranges(card)), folder / card.int8)
    for name in card.exports if card.task in FACE_TASKS else ():
        _try_out(card, folder / name)


def _try_out(card: Card, path: Path) -> None:
    network = OnnxNetwork(path, Device())
    check_answer(card, lambda *crops: network(*crops)[0])


if __name__ == "__main__":
    main()
