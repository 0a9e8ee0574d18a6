"""Read the weights in a Keras file (.h5).

Only arrays are read, by layer name: the Lambda layers of old files contain marshalled Python code, which is not run.
"""

from collections import defaultdict
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

LayerWeights = dict[str, dict[str, NDArray[np.float32]]]
"""The arrays of each layer by name: kernel, bias, beta, moving_mean, moving_variance."""


def read_layers(path: Path) -> LayerWeights:
    """Read the arrays of every layer in a Keras model or weights file.

    Raises:
        ModelError: the file is damaged, or contains anything but uncompressed arrays of layers.
    """
    weights: LayerWeights = defaultdict(dict)

    def visit(name: str, entry: object) -> None:
        if isinstance(entry, h5py.Dataset):
            # Keras compresses nothing, and a compressed array, or one in another file, could be of any size.
            if entry.id.get_storage_size() < entry.nbytes or entry.external:
                raise ValueError(f"{name} is compressed, or stored in another file")
            layer, array = name.split("/")[-2:]
            weights[layer][array.removesuffix(":0")] = np.asarray(entry, dtype=np.float32)

    try:
        with h5py.File(path) as file:
            file.get("model_weights", file).visititems(visit)
    except (OSError, AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a Keras weights file: {error}") from error
    return dict(weights)
