"""MTCNN's three networks with the weights of the package mtcnn, which runs them in TensorFlow.

The layers are those of mtcnn 1.0.0, and the cascade around them is `models.detectors.mtcnn`. PyTorch exports the
networks and Keras is their original runtime. Each is imported where it is used, because they cannot share a process.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.architectures.joblib_arrays import read_arrays
from models.card import Card
from models.detectors.mtcnn import CascadeNetwork
from models.device import Device
from models.errors import ModelError


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
        side: of the windows, in pixels. None for any.
        width: of the fully connected layer before the outputs. 0: there is none, and each cell of the grid has outputs.
        outputs: lengths of the outputs in the file's order: regression, landmarks, and the classes no face and face.
    """

    side: int | None
    convolutions: tuple[Convolution, ...]
    width: int
    outputs: tuple[int, ...]


FORMS = (
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


def export(card: Card, folder: Path) -> None:
    """Write the three ONNX files, with the inputs and outputs of those of `models.architectures.mtcnn`."""
    import torch
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    from models.architectures.mtcnn import FromWindows, export_cascade

    networks = []
    for file, form, build in zip(card.files, FORMS, (PNet, RNet, ONet), strict=True):
        network = build(pretrained=False)
        arrays = torch_arrays(_read(folder / file.name, form), len(form.outputs))
        # Both are in the order of the layers.
        state = {name: torch.tensor(array) for name, array in zip(network.state_dict(), arrays, strict=True)}
        network.load_state_dict(state)
        networks.append(FromWindows(network).eval())
    export_cascade(networks, card, folder)


def original(card: Card, folder: Path, device: Device) -> tuple[CascadeNetwork, ...]:
    """PNet, RNet and ONet in Keras on TensorFlow, with the inputs and outputs of their exports."""
    from models.architectures.tensorflow_device import tensorflow_device

    on_device = tensorflow_device(device)
    return tuple(
        _runner(_keras_network(form, _read(folder / file.name, form)), on_device)
        for file, form in zip(card.files, FORMS, strict=True)
    )


def torch_arrays(arrays: list[NDArray[np.float32]], outputs: int) -> list[NDArray[np.float32]]:
    """Convert the weights to PyTorch's layout and the order of facenet-pytorch's state.

    Args:
        arrays: in the file's order: kernel (height, width, in, out), bias and PReLU slopes of each convolution, then
            kernel (in, out) and bias of each fully connected layer. The kernel between the two needs no permutation,
            because both networks flatten by column, row and channel.
        outputs: number of outputs. The face comes last in the file and first in facenet-pytorch.
    """
    first = len(arrays) - 2 * outputs
    ordered = [*arrays[:first], *arrays[-2:], *arrays[first:-2]]
    return [
        array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T if array.ndim == 2 else array.ravel()
        for array in ordered
    ]


def _read(path: Path, form: CascadeLayers) -> list[NDArray[np.float32]]:
    arrays = read_arrays(path)
    expected = 3 * (len(form.convolutions) + bool(form.width)) + 2 * len(form.outputs)
    if len(arrays) != expected:
        raise ModelError(f"{path} holds {len(arrays)} arrays, but the network has {expected}")
    return arrays


def _keras_network(form: CascadeLayers, arrays: list[NDArray[np.float32]]) -> Any:
    """Build the network: normalised float windows (n, side, side, 3) to the outputs in the file's order."""
    import keras
    from keras import layers

    trunk = []
    for filters, kernel, pool, padding in form.convolutions:
        trunk += [layers.Conv2D(filters, kernel), layers.PReLU(shared_axes=[1, 2])]
        if pool:
            trunk.append(layers.MaxPooling2D(pool, 2, padding))
    if form.width:
        # The weights come from Caffe's Matlab interface, which has columns before rows.
        trunk += [layers.Permute((2, 1, 3)), layers.Flatten(), layers.Dense(form.width), layers.PReLU()]
    ends = [layers.Dense(length) if form.width else layers.Conv2D(length, 1) for length in form.outputs]

    windows = x = keras.Input((form.side, form.side, 3))
    for layer in trunk:
        x = layer(x)
    *numbers, face = [end(x) for end in ends]
    model = keras.Model(windows, [*numbers, layers.Softmax()(face)])
    rest = iter(arrays)
    for layer in [*trunk, *ends]:
        layer.set_weights([next(rest) for _ in layer.weights])
    return model


def _runner(model: Any, on_device: str) -> CascadeNetwork:
    import tensorflow

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
