"""FaceNet as Keras weights (.h5): the network of `inception_resnet_v1` with other layer names.

Only the weights are read from the file, by layer name: the Lambda layers of old files contain marshalled Python code,
which is not run. PyTorch exports the network and Keras is its original runtime. Each is imported where it is used,
because they cannot share a process.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from models.card import Card
from models.device import Device
from models.errors import ModelError

KerasWeights = dict[str, dict[str, NDArray[np.float32]]]
"""The arrays of each layer by name: kernel, bias, beta, moving_mean, moving_variance."""

REPEATS = {"Block35": "repeat_1", "Block17": "repeat_2", "Block8": "repeat_3"}


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 160, 160, 3) RGB to float32 (n, size) of length 1."""
    import torch
    from facenet_pytorch import InceptionResnetV1

    from models.architectures.inception_resnet_v1 import FaceNet, export_facenet

    [size] = card.shape
    body = InceptionResnetV1(pretrained=None, classify=False)
    body.last_linear = torch.nn.Linear(1792, size, bias=False)
    body.last_bn = torch.nn.BatchNorm1d(size, eps=0.001)
    state = {name: torch.from_numpy(array) for name, array in torch_state(read(folder / card.files[0].name)).items()}
    # The batch normalisations have no gamma in Keras, and no count of batches.
    for name, tensor in body.state_dict().items():
        if name.endswith(("bn.weight", "num_batches_tracked")):
            state[name] = torch.ones_like(tensor)
    body.load_state_dict(state)
    export_facenet(FaceNet(body, per_image=True).eval(), folder / card.exports[0])


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in Keras on TensorFlow, with the input and output of the export."""
    from models.architectures.facenet_network import keras_facenet

    [size] = card.shape
    network = keras_facenet(size, read(folder / card.files[0].name), device)

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = crops.astype(np.float32)
        mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
        deviation = pixels.std(axis=(1, 2, 3), keepdims=True)
        raw = network((pixels - mean) / np.maximum(deviation, pixels[0].size ** -0.5))
        return card.face_task.answer(card.output, [raw])

    return embed


def read(path: Path) -> KerasWeights:
    """Read the arrays of every layer in a Keras model or weights file.

    Raises:
        ModelError: the file is neither.
    """
    weights: KerasWeights = defaultdict(dict)

    def visit(name: str, entry: object) -> None:
        if isinstance(entry, h5py.Dataset):
            layer, array = name.split("/")[-2:]
            weights[layer][array.removesuffix(":0")] = np.asarray(entry, dtype=np.float32)

    try:
        with h5py.File(path) as file:
            file.get("model_weights", file).visititems(visit)
    except OSError as error:
        raise ModelError(f"{path} is not a Keras weights file: {error}") from error
    return dict(weights)


def torch_state(weights: KerasWeights) -> dict[str, NDArray[np.float32]]:
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
