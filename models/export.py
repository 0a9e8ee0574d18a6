"""Export a model to the files that replicas load."""

import importlib
import traceback
from pathlib import Path

import onnx

from models.card import Card
from models.device import Device
from models.errors import ModelError
from models.onnx_session import OnnxNetwork
from models.store import Store, scratch
from models.tasks import FACE_TASKS
from models.trial import check_answer


def export(card: Card, store: Store) -> None:
    """Export `card` from its weights in the store and mark it as ready.

    Raises:
        ModelError: the network does not fit its card, or the export failed. In the second case the traceback is in
            `export.log` next to the weights.
    """
    folder = store.folder(card)
    log = folder / "export.log"
    with scratch(store.root) as work:
        for file in card.files:
            (work / file.name).symlink_to((folder / file.name).resolve())
        try:
            write_exports(card, work)
        except ModelError as error:
            problem = str(error).replace(str(work), str(folder))
            raise ModelError(f"the model {card.name} cannot be exported: {problem}") from error
        except Exception as error:
            # Exporters fail in almost any way on weights of an unexpected form.
            log.write_text(traceback.format_exc(), "utf-8")
            raise ModelError(f"the export of {card.name} failed: see {log}") from error
        for name in card.exports:
            (work / name).replace(folder / name)
    log.unlink(missing_ok=True)
    store.finish(card)


def write_exports(card: Card, folder: Path) -> None:
    """Write the exports of `card` into `folder`, which contains its weights.

    Raises:
        ModelError: the network does not fit its card.
    """
    importlib.import_module(f"models.architectures.{card.architecture}").export(card, folder)
    if card.int8:
        # Imported here, because few exports need ONNX Runtime's quantisation.
        from models.int8 import quantised, read_ranges

        floats = onnx.load(folder / card.exports[0])
        onnx.save(quantised(floats, read_ranges(card)), folder / card.int8)
    for name in card.exports if card.task in FACE_TASKS else ():
        network = OnnxNetwork(folder / name, Device())
        check_answer(card, lambda *crops, run=network: run(*crops)[0])
