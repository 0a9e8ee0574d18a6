"""MTCNN's three networks in TensorFlow, with the weights and layers of the package mtcnn 1.0.0."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow
from numpy.typing import NDArray

from models.architectures.mtcnn import OUTPUTS
from models.card import Card
from models.detectors.mtcnn import CascadeNetwork
from models.device import Device
from models.originals.tensorflow_device import tensorflow_device
from models.weights.joblib_file import read_arrays

Pools = Sequence[tuple[int, str]]
"""Sides of the max poolings after the first convolutions, and their padding: SAME rounds the output's sides up, VALID
rounds them down. The stride is 2."""
POOLS: Sequence[Pools] = ([(2, "SAME")], [(3, "SAME"), (3, "VALID")], [(3, "SAME"), (3, "VALID"), (2, "SAME")])


def original(card: Card, folder: Path, device: Device) -> tuple[CascadeNetwork, ...]:
    """PNet, RNet and ONet in TensorFlow, with the inputs and outputs of their exports."""
    on_device = tensorflow_device(device)
    return tuple(
        _runner(read_arrays(folder / file.name), pools, outputs, on_device)
        for file, pools, outputs in zip(card.files, POOLS, OUTPUTS, strict=True)
    )


def _runner(arrays: list[NDArray[np.float32]], pools: Pools, outputs: int, on_device: str) -> CascadeNetwork:
    hidden, ends = arrays[: -2 * outputs], arrays[-2 * outputs :]

    @tensorflow.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(windows: Any) -> Any:
        x = (windows - 127.5) / 128
        for number, (kernel, bias, slopes) in enumerate(zip(hidden[::3], hidden[1::3], hidden[2::3], strict=True)):
            if kernel.ndim == 2:
                # The weights come from Caffe's Matlab interface, which has columns before rows.
                x = tensorflow.reshape(tensorflow.transpose(x, (0, 2, 1, 3)), (-1, len(kernel)))
            x = _layer(x, kernel, bias)
            x = tensorflow.maximum(x, 0) + slopes * tensorflow.minimum(x, 0)
            if number < len(pools):
                side, padding = pools[number]
                x = tensorflow.nn.max_pool2d(x, side, 2, padding)
        # The classes come last in the file.
        *numbers, classes = (_layer(x, kernel, bias) for kernel, bias in zip(ends[::2], ends[1::2], strict=True))
        return [tensorflow.nn.softmax(classes)[..., 1], *numbers]

    def run(windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        with tensorflow.device(on_device):
            outputs = forward(tensorflow.constant(windows))
        # PNet's regression goes from (n, height, width, 4) to (n, 4, height, width).
        face, *numbers = (np.asarray(output) for output in outputs)
        return (face, *(np.moveaxis(output, -1, 1) for output in numbers))

    return run


def _layer(x: Any, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> Any:
    """A convolution without padding, or a fully connected layer if `kernel` is (inputs, outputs)."""
    return (tensorflow.nn.conv2d(x, kernel, 1, "VALID") if kernel.ndim == 4 else x @ kernel) + bias
