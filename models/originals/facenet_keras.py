"""FaceNet in Keras on TensorFlow: Inception-ResNet v1 with the layer names of the public weight files.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
AAAI 2017.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow
from keras import layers
from numpy.typing import NDArray

from models.card import Card
from models.device import Device
from models.originals.tensorflow_device import tensorflow_device
from models.weights.keras_file import read_layers

Chain = list[tuple[str, int, int | tuple[int, int]]]
"""A sequence of convolutions: position in the branch, filters, kernel."""

# For each kind of residual block: its branches, the scale of the residual, and the number of blocks.
BLOCKS: dict[str, tuple[list[Chain], float, int]] = {
    "Block35": (
        [
            [("1x1", 32, 1)],
            [("0a_1x1", 32, 1), ("0b_3x3", 32, 3)],
            [("0a_1x1", 32, 1), ("0b_3x3", 32, 3), ("0c_3x3", 32, 3)],
        ],
        0.17,
        5,
    ),
    "Block17": ([[("1x1", 128, 1)], [("0a_1x1", 128, 1), ("0b_1x7", 128, (1, 7)), ("0c_7x1", 128, (7, 1))]], 0.1, 10),
    "Block8": ([[("1x1", 192, 1)], [("0a_1x1", 192, 1), ("0b_1x3", 192, (1, 3)), ("0c_3x1", 192, (3, 1))]], 0.2, 6),
}
# Blocks that halve the grid: the last convolution of each branch has stride 2, and there is a max pooling branch.
REDUCTIONS: dict[str, list[Chain]] = {
    "Mixed_6a": [[("1a_3x3", 384, 3)], [("0a_1x1", 192, 1), ("0b_3x3", 192, 3), ("1a_3x3", 256, 3)]],
    "Mixed_7a": [
        [("0a_1x1", 256, 1), ("1a_3x3", 384, 3)],
        [("0a_1x1", 256, 1), ("1a_3x3", 256, 3)],
        [("0a_1x1", 256, 1), ("0b_3x3", 256, 3), ("1a_3x3", 256, 3)],
    ],
}


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in Keras, with the input and output of the export."""
    on_device = tensorflow_device(device)
    weights = read_layers(folder / card.files[0].name)
    model = _build(*card.shape)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([weights[layer.name][weight.name.split("/")[-1]] for weight in layer.weights])

    @tensorflow.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(batch: Any) -> Any:
        return model(batch, training=False)

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = crops.astype(np.float32)
        mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
        deviation = pixels.std(axis=(1, 2, 3), keepdims=True)
        batch = (pixels - mean) / np.maximum(deviation, pixels[0].size ** -0.5)
        with tensorflow.device(on_device):
            raw = np.asarray(forward(tensorflow.constant(batch)), dtype=np.float32)
        return card.face_task.answer(card.output, [raw])

    return embed


def _build(size: int) -> Any:
    photo = keras.Input((160, 160, 3))
    x = _convolution(photo, "Conv2d_1a_3x3", 32, 3, strides=2, padding="valid")
    x = _convolution(x, "Conv2d_2a_3x3", 32, 3, padding="valid")
    x = _convolution(x, "Conv2d_2b_3x3", 64, 3)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = _convolution(x, "Conv2d_3b_1x1", 80, 1, padding="valid")
    x = _convolution(x, "Conv2d_4a_3x3", 192, 3, padding="valid")
    x = _convolution(x, "Conv2d_4b_3x3", 256, 3, strides=2, padding="valid")
    x = _residual_blocks(x, "Block35")
    x = _reduction(x, "Mixed_6a")
    x = _residual_blocks(x, "Block17")
    x = _reduction(x, "Mixed_7a")
    x = _residual_blocks(x, "Block8")
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(size, use_bias=False, name="Bottleneck")(x)
    return keras.Model(photo, _normalised(x, "Bottleneck"))


def _residual_blocks(x: Any, kind: str) -> Any:
    branches, scale, count = BLOCKS[kind]
    for number in range(1, count + 1):
        name = f"{kind}_{number}"
        # The last block of the network neither scales its residual nor has a ReLU.
        last = kind == "Block8" and number == count
        mixed = layers.Concatenate()([_chain(x, f"{name}_Branch_{i}", chain) for i, chain in enumerate(branches)])
        residual = layers.Conv2D(x.shape[-1], 1, padding="same", name=f"{name}_Conv2d_1x1")(mixed)
        x = layers.Add()([x, layers.Rescaling(1.0 if last else scale)(residual)])
        x = x if last else layers.ReLU()(x)
    return x


def _reduction(x: Any, name: str) -> Any:
    ends = [_chain(x, f"{name}_Branch_{i}", chain, halve=True) for i, chain in enumerate(REDUCTIONS[name])]
    return layers.Concatenate()([*ends, layers.MaxPooling2D(3, strides=2)(x)])


def _chain(x: Any, name: str, chain: Chain, halve: bool = False) -> Any:
    for position, filters, kernel in chain:
        halving = halve and position.startswith("1a")
        x = _convolution(
            x,
            f"{name}_Conv2d_{position}",
            filters,
            kernel,
            strides=2 if halving else 1,
            padding="valid" if halving else "same",
        )
    return x


def _convolution(
    x: Any, name: str, filters: int, kernel: int | tuple[int, int], strides: int = 1, padding: str = "same"
) -> Any:
    x = layers.Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=False, name=name)(x)
    return layers.ReLU()(_normalised(x, name))


def _normalised(x: Any, name: str) -> Any:
    return layers.BatchNormalization(epsilon=0.001, scale=False, name=f"{name}_BatchNorm")(x)
