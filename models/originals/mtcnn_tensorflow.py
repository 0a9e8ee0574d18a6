"""MTCNN's three networks in Keras on TensorFlow, with the weights of the package mtcnn.

The layers are those of mtcnn 1.0.0.
"""

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow
from keras import layers
from numpy.typing import NDArray

from models.card import Card
from models.detectors.mtcnn import CascadeNetwork
from models.device import Device
from models.originals.tensorflow_device import tensorflow_device
from models.weights.joblib_file import read_arrays


class Convolution(NamedTuple):
    """A convolution with its PReLU and, if `pool` is not 0, max pooling of that size with stride 2.

    `padding` is that of the pooling in Keras: ``same`` rounds the sides up, ``valid`` rounds them down.
    """

    filters: int
    kernel: int
    pool: int = 0
    padding: str = "valid"


class CascadeLayers(NamedTuple):
    """The layers of one network of the cascade.

    Attributes:
        side: side of the windows, in pixels. None for any.
        width: width of the fully connected layer before the outputs. 0: there is none, and every grid cell has outputs.
        outputs: lengths of the outputs in the file's order: regression, landmarks, and the classes no face and face.
    """

    side: int | None
    convolutions: tuple[Convolution, ...]
    width: int
    outputs: tuple[int, ...]


CASCADE = (
    CascadeLayers(None, (Convolution(10, 3, 2, "same"), Convolution(16, 3), Convolution(32, 3)), 0, (4, 2)),
    CascadeLayers(24, (Convolution(28, 3, 3, "same"), Convolution(48, 3, 3), Convolution(64, 2)), 128, (4, 2)),
    CascadeLayers(
        48,
        (Convolution(32, 3, 3, "same"), Convolution(64, 3, 3), Convolution(64, 3, 2, "same"), Convolution(128, 2)),
        256,
        (4, 10, 2),
    ),
)
"""PNet, RNet, ONet."""


def original(card: Card, folder: Path, device: Device) -> tuple[CascadeNetwork, ...]:
    """PNet, RNet and ONet in Keras, with the inputs and outputs of their exports."""
    on_device = tensorflow_device(device)
    return tuple(
        _runner(_keras_network(network, read_arrays(folder / file.name)), on_device)
        for file, network in zip(card.files, CASCADE, strict=True)
    )


def _keras_network(network: CascadeLayers, arrays: list[NDArray[np.float32]]) -> Any:
    """Build the network: normalised float windows (n, side, side, 3) to the outputs in the file's order."""
    trunk = []
    for filters, kernel, pool, padding in network.convolutions:
        trunk += [layers.Conv2D(filters, kernel), layers.PReLU(shared_axes=[1, 2])]
        if pool:
            trunk.append(layers.MaxPooling2D(pool, 2, padding))
    if network.width:
        # The weights come from Caffe's Matlab interface, which has columns before rows.
        trunk += [layers.Permute((2, 1, 3)), layers.Flatten(), layers.Dense(network.width), layers.PReLU()]
    ends = [layers.Dense(length) if network.width else layers.Conv2D(length, 1) for length in network.outputs]

    windows = x = keras.Input((network.side, network.side, 3))
    for layer in trunk:
        x = layer(x)
    *numbers, face = [end(x) for end in ends]
    model = keras.Model(windows, [*numbers, layers.Softmax()(face)])
    rest = iter(arrays)
    for layer in [*trunk, *ends]:
        layer.set_weights([next(rest) for _ in layer.weights])
    return model


def _runner(model: Any, on_device: str) -> CascadeNetwork:
    @tensorflow.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(batch: Any) -> Any:
        *numbers, face = model((batch - 127.5) / 128, training=False)
        return [face[..., 1], *numbers]

    def run(windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        with tensorflow.device(on_device):
            outputs = forward(tensorflow.constant(windows))
        # PNet's regression goes from (n, height, width, 4) to (n, 4, height, width).
        face, *numbers = (np.asarray(output) for output in outputs)
        return (face, *(np.moveaxis(output, -1, 1) for output in numbers))

    return run
