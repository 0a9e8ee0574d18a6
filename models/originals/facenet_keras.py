"""FaceNet in TensorFlow: Inception-ResNet v1 with the layer names of the public Keras weight files.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
AAAI 2017.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow
from numpy.typing import NDArray

from models.card import Card
from models.device import Device
from models.originals.tensorflow_device import tensorflow_device
from models.weights.keras_file import read_layers

BLOCKS = {"Block35": (0.17, 5), "Block17": (0.1, 10), "Block8": (0.2, 6)}
"""The scale of the residuals and the number of blocks, by kind of block."""


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in TensorFlow, with the input and output of the export."""
    on_device = tensorflow_device(device)
    with tensorflow.device(on_device):
        network = _FaceNet(
            {
                layer: {name: tensorflow.constant(array) for name, array in arrays.items()}
                for layer, arrays in read_layers(folder / card.files[0].name).items()
            }
        )
    forward = tensorflow.function(network.raw_embeddings, reduce_retracing=True)

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = crops.astype(np.float32)
        mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
        deviation = pixels.std(axis=(1, 2, 3), keepdims=True)
        batch = (pixels - mean) / np.maximum(deviation, pixels[0].size ** -0.5)
        with tensorflow.device(on_device):
            raw = np.asarray(forward(tensorflow.constant(batch)), dtype=np.float32)
        return card.face_task.answer(card.output, [raw])

    return embed


class _FaceNet:
    """The network.

    Args:
        weights: tensors by layer name and array name in Keras.
    """

    def __init__(self, weights: dict[str, dict[str, Any]]) -> None:
        self._weights = weights

    def raw_embeddings(self, x: Any) -> Any:
        """From standardised crops, float32 (n, 160, 160, 3), to embeddings, float32 (n, size), of any length."""
        x = self._convolution(x, "Conv2d_1a_3x3", stride=2, padding="VALID")
        x = self._convolution(x, "Conv2d_2a_3x3", padding="VALID")
        x = self._convolution(x, "Conv2d_2b_3x3")
        x = _pooled(x)
        x = self._convolution(x, "Conv2d_3b_1x1")
        x = self._convolution(x, "Conv2d_4a_3x3", padding="VALID")
        x = self._convolution(x, "Conv2d_4b_3x3", stride=2, padding="VALID")
        x = self._residual_blocks(x, "Block35")
        x = self._reduction(x, "Mixed_6a")
        x = self._residual_blocks(x, "Block17")
        x = self._reduction(x, "Mixed_7a")
        x = self._residual_blocks(x, "Block8")
        return self._normalised(tensorflow.reduce_mean(x, (1, 2)) @ self._weights["Bottleneck"]["kernel"], "Bottleneck")

    def _residual_blocks(self, x: Any, kind: str) -> Any:
        scale, count = BLOCKS[kind]
        for number in range(1, count + 1):
            name = f"{kind}_{number}"
            mixed, last_layer = tensorflow.concat(self._branches(x, name), 3), self._weights[f"{name}_Conv2d_1x1"]
            residual = tensorflow.nn.conv2d(mixed, last_layer["kernel"], 1, "SAME") + last_layer["bias"]
            # The last block of the network neither scales its residual nor has a ReLU.
            x = x + residual if name == "Block8_6" else tensorflow.nn.relu(x + scale * residual)
        return x

    def _reduction(self, x: Any, name: str) -> Any:
        return tensorflow.concat([*self._branches(x, name), _pooled(x)], 3)

    def _branches(self, x: Any, block: str) -> list[Any]:
        """Run a block's branches: chains of convolutions 0a, 0b, 0c and, in reductions, 1a, which halves the grid."""
        ends: dict[str, Any] = {}
        for name in sorted(self._weights):
            if match := re.fullmatch(rf"{block}_Branch_(\d)_Conv2d_(1a)?\w+x\d", name):
                stride, padding = (2, "VALID") if match[2] else (1, "SAME")
                ends[match[1]] = self._convolution(ends.get(match[1], x), name, stride, padding)
        return list(ends.values())

    def _convolution(self, x: Any, name: str, stride: int = 1, padding: str = "SAME") -> Any:
        x = tensorflow.nn.conv2d(x, self._weights[name]["kernel"], stride, padding)
        return tensorflow.nn.relu(self._normalised(x, name))

    def _normalised(self, x: Any, name: str) -> Any:
        norm = self._weights[f"{name}_BatchNorm"]
        mean, variance, offset = (norm[part] for part in ("moving_mean", "moving_variance", "beta"))
        return tensorflow.nn.batch_normalization(x, mean, variance, offset, None, 0.001)


def _pooled(x: Any) -> Any:
    return tensorflow.nn.max_pool2d(x, 3, 2, "VALID")
