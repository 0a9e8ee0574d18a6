"""The original runtimes of networks: for the engines "torch" and "tensorflow", and as references of the parity tests.

There is one module per architecture, with a function ``original(card, folder, device)``, which returns the network in
its original runtime, with the inputs and outputs of the export; for a detector, a tuple of its networks. Only these
modules import PyTorch and TensorFlow, which are extras of the package.
"""

from importlib.util import find_spec

from models.card import Card
from models.device import Engine, is_onnx
from models.errors import ModelError


def check_framework(card: Card, engine: Engine) -> None:
    """Check that the framework of `engine` is installed, without importing it.

    Raises:
        ModelError: it is not. The message names the command that installs it.
    """
    if not is_onnx(engine) and find_spec(engine) is None:
        raise ModelError(
            f"{card.name} cannot run in {engine}, which is not installed: run `make install EXTRAS={engine}`"
        )
