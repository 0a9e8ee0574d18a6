"""MTCNN's three networks from the weights of the package mtcnn, which runs them in TensorFlow.

The layers are those of mtcnn 1.0.0; the cascade around them is `models.detectors.mtcnn`. torch makes the export and
Keras is the original runtime; each is imported only where it is used, since the two do not live in one process.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.architectures.joblib_arrays import read_arrays
from models.card import Card
from models.device import Device
from models.errors import ModelError

Network = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], ...]]


class Convolution(NamedTuple):
    """A convolution with its PReLU, and the max pooling of stride 2 after it, if any.

    `padding` is Keras's for the pooling: ``same`` rounds the sides up, and ``valid`` rounds them down.
    """

    filters: int
    kernel: int
    pool: int = 0
    padding: str = "valid"


class Form(NamedTuple):
    """One network of the cascade.

    Attributes:
        side: of the windows it takes, in pixels; None for any.
        convolutions: from the windows on.
        width: of the fully connected layer under the outputs; 0 for none, where each cell of the grid has outputs.
        outputs: their lengths in the file's order: regression, landmarks, no face and face.
    """

    side: int | None
    convolutions: tuple[Convolution, ...]
    width: int
    outputs: tuple[int, ...]


FORMS = (
    Form(None, (Convolution(10, 3, 2, "same"), Convolution(16, 3), Convolution(32, 3)), 0, (4, 2)),
    Form(24, (Convolution(28, 3, 3, "same"), Convolution(48, 3, 3), Convolution(64, 2)), 128, (4, 2)),
    Form(
        48,
        (Convolution(32, 3, 3, "same"), Convolution(64, 3, 3), Convolution(64, 3, 2, "same"), Convolution(128, 2)),
        256,
        (4, 10, 2),
    ),
)
"""PNet, RNet, ONet."""


def export(card: Card, folder: Path) -> None:
    """Write the three ONNX files, of the same contract as those of `models.architectures.mtcnn`."""
    import torch
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    from models.architectures.mtcnn import FromWindows, export_cascade

    networks = []
    for file, form, build in zip(card.files, FORMS, (PNet, RNet, ONet), strict=True):
        network = build(pretrained=False)
        arrays = torch_arrays(_read(folder / file.name, form), len(form.outputs))
        # Both list the layers from the input on.
        state = {name: torch.tensor(array) for name, array in zip(network.state_dict(), arrays, strict=True)}
        network.load_state_dict(state)
        networks.append(FromWindows(network).eval())
    export_cascade(networks, card, folder)


def original(card: Card, folder: Path, device: Device) -> tuple[Network, ...]:
    """PNet, RNet and ONet in Keras on TensorFlow, each of the same contract as its export."""
    from models.architectures.keras_place import place

    placed = place(device)
    return tuple(
        _runner(_keras_network(form, _read(folder / file.name, form)), placed)
        for file, form in zip(card.files, FORMS, strict=True)
    )


def torch_arrays(arrays: list[NDArray[np.float32]], outputs: int) -> list[NDArray[np.float32]]:
    """The same weights in torch's layout and in the order of facenet-pytorch's state.

    Args:
        arrays: in the file's order: for each convolution kernel (height, width, in, out), bias and PReLU's slopes,
            for each fully connected layer kernel (in, out) and bias. Between the two nothing is turned: both
            networks flatten by column, row and channel.
        outputs: how many the network has. The face is the last of them in the file and the first in facenet-pytorch.
    """
    first = len(arrays) - 2 * outputs
    ordered = [*arrays[:first], *arrays[-2:], *arrays[first:-2]]
    return [
        array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T if array.ndim == 2 else array.ravel()
        for array in ordered
    ]


def _read(path: Path, form: Form) -> list[NDArray[np.float32]]:
    arrays = read_arrays(path)
    expected = 3 * (len(form.convolutions) + bool(form.width)) + 2 * len(form.outputs)
    if len(arrays) != expected:
        raise ModelError(f"{path} holds {len(arrays)} arrays, and this network has {expected}")
    return arrays


def _keras_network(form: Form, arrays: list[NDArray[np.float32]]) -> Any:
    """Float windows (n, side, side, 3), normalised, to the outputs in the file's order."""
    import keras
    from keras import layers

    trunk = []
    for filters, kernel, pool, padding in form.convolutions:
        trunk += [layers.Conv2D(filters, kernel), layers.PReLU(shared_axes=[1, 2])]
        if pool:
            trunk.append(layers.MaxPooling2D(pool, 2, padding))
    if form.width:
        # The weights come from Caffe's Matlab interface, which counts columns before rows.
        trunk += [layers.Permute((2, 1, 3)), layers.Flatten(), layers.Dense(form.width), layers.PReLU()]
    ends = [layers.Dense(length) if form.width else layers.Conv2D(length, 1) for length in form.outputs]

    windows = x = keras.Input((form.side, form.side, 3))
    for layer in trunk:
        x = layer(x)
    *places, face = [end(x) for end in ends]
    model = keras.Model(windows, [*places, layers.Softmax()(face)])
    rest = iter(arrays)
    for layer in [*trunk, *ends]:
        layer.set_weights([next(rest) for _ in layer.weights])
    return model


def _runner(model: Any, placed: str) -> Network:
    import tensorflow

    @tensorflow.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(batch: Any) -> Any:
        *places, face = model((batch - 127.5) / 128, training=False)
        return [face[..., 1], *places]

    def run(windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        with tensorflow.device(placed):
            outputs = forward(tensorflow.constant(windows))
        # PNet's regression goes from (n, height, width, 4) to (n, 4, height, width).
        face, *places = (np.asarray(output) for output in outputs)
        return (face, *(np.moveaxis(output, -1, 1) for output in places))

    return run
