"""FaceNet with weights from Keras: the network of `inception_resnet_v1` with other layer names."""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.architectures.inception_resnet_v1 import inception_resnet
from models.card import Card
from models.weights.keras_file import LayerWeights, read_layers

REPEATS = {"Block35": "repeat_1", "Block17": "repeat_2", "Block8": "repeat_3"}


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 160, 160, 3) RGB to float32 (n, size) of length 1."""
    weights = torch_weights(read_layers(folder / card.files[0].name))
    onnx.save(inception_resnet(weights, card, standardised=True), folder / card.exports[0])


def torch_weights(weights: LayerWeights) -> dict[str, NDArray[np.float32]]:
    """Convert the weights to facenet-pytorch's names and PyTorch's layout."""
    names = _torch_names([layer for layer, arrays in weights.items() if "kernel" in arrays])
    state: dict[str, NDArray[np.float32]] = {}
    for layer, name in names.items():
        kernel = weights[layer]["kernel"]
        normalised = weights.get(f"{layer}_BatchNorm")
        if name == "last_linear":
            state["last_linear.weight"], norm = kernel.T.copy(), "last_bn"
        elif normalised is None:
            state[f"{name}.weight"] = kernel.transpose(3, 2, 0, 1).copy()
            state[f"{name}.bias"] = weights[layer]["bias"]
        else:
            state[f"{name}.conv.weight"], norm = kernel.transpose(3, 2, 0, 1).copy(), f"{name}.bn"
        if normalised is not None:
            state[f"{norm}.bias"] = normalised["beta"]
            state[f"{norm}.running_mean"] = normalised["moving_mean"]
            state[f"{norm}.running_var"] = normalised["moving_variance"]
    return state


def _torch_names(layers: list[str]) -> dict[str, str]:
    """Map each Keras layer to facenet-pytorch's module.

    Keras names the convolutions of a branch 0a, 0b, 0c and 1a. facenet-pytorch numbers them, and omits the number if
    the branch has only one.
    """
    branches: dict[str, list[str]] = defaultdict(list)
    names = {}
    for layer in sorted(layers):
        match = re.match(r"(Block\d+|Mixed_\da)(?:_(\d+))?_(?:Branch_(\d)_)?Conv2d_", layer)
        if match is None:
            stem = re.match(r"Conv2d_(\d[ab])", layer)
            names[layer] = f"conv2d_{stem[1]}" if stem else "last_linear"
            continue
        block, index, branch = match.groups()
        parent = block.lower() if index is None else f"{REPEATS[block]}.{int(index) - 1}"
        if (block, index) == ("Block8", "6"):
            parent = "block8"
        if branch is None:
            names[layer] = f"{parent}.conv2d"
        else:
            branches[f"{parent}.branch{branch}"].append(layer)
    for name, members in branches.items():
        for number, layer in enumerate(members):
            names[layer] = name if len(members) == 1 else f"{name}.{number}"
    return names
