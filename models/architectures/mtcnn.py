"""MTCNN's three networks in PyTorch.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks",
IEEE Signal Processing Letters 2016; the networks are facenet-pytorch's. The cascade around them is
`models.detectors.mtcnn`.
"""

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray

from models.card import Card
from models.detectors.mtcnn import CascadeNetwork
from models.device import Device
from models.onnx_graph import OPSET
from models.onnx_prelu import with_split_prelus


class FromWindows(torch.nn.Module):
    """A network of the cascade that takes windows, float32 (n, height, width, 3) RGB, 0 to 255.

    Windows are not uint8, because the cascade samples them down: rounded samples gave boxes with an IoU of only 0.86
    with those of the original.

    Returns float32: the probability of a face (n, ...), the box regression (n, 4, ...) and, from ONet, the landmarks
    (n, 10).
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, windows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        prepared = (windows.permute(0, 3, 1, 2) - 127.5) / 128
        regression, *landmarks, probabilities = self.network(prepared)
        # The face is the last of two classes, or the only one after `with_sigmoid`.
        return (probabilities[:, -1], regression, *landmarks)


def with_sigmoid(original: FromWindows) -> FromWindows:
    """Replace the softmax of two classes by a sigmoid of their difference, which takes a tenth of the time."""
    changed = copy.deepcopy(original)
    children: list[tuple[str, Any]] = list(changed.network.named_children())
    for (_, face), (name, softmax) in pairwise(children):
        if isinstance(softmax, torch.nn.Softmax):
            face.weight = torch.nn.Parameter(face.weight[1:] - face.weight[:1])
            face.bias = torch.nn.Parameter(face.bias[1:] - face.bias[:1])
            setattr(changed.network, name, torch.nn.Sigmoid())
    return changed


def export(card: Card, folder: Path) -> None:
    """Write the three ONNX files."""
    export_cascade(_networks(card, folder), card, folder)


def export_cascade(networks: list[FromWindows], card: Card, folder: Path) -> None:
    """Write PNet, RNet and ONet as the ONNX files of `card`. PNet takes any height and width of at least 12 pixels."""
    for name, network, side in zip(card.exports, networks, (None, 24, 48), strict=True):
        batch = torch.export.Dim("n", min=1)
        free = {0: batch}
        if side is None:
            free |= {1: torch.export.Dim("height", min=12), 2: torch.export.Dim("width", min=12)}
        outputs = ["face", "regression", *(["landmarks"] if side == 48 else [])]
        torch.onnx.export(
            with_sigmoid(network),
            (torch.zeros(2, side or 40, side or 50, 3),),
            folder / name,
            dynamo=True,
            opset_version=OPSET,
            input_names=["windows"],
            output_names=outputs,
            dynamic_shapes=(free,),
            external_data=False,
            verbose=False,
        )
        onnx.save(with_split_prelus(onnx.load(folder / name)), folder / name)


def original(card: Card, folder: Path, device: Device) -> tuple[CascadeNetwork, ...]:
    """PNet, RNet and ONet in PyTorch, with the inputs and outputs of their exports."""
    return tuple(_runner(network.to(device.kind), device) for network in _networks(card, folder))


def _runner(network: torch.nn.Module, device: Device) -> CascadeNetwork:
    def run(windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        with torch.inference_mode():
            outputs = network(torch.from_numpy(windows).to(device.kind))
        return tuple(output.cpu().numpy() for output in outputs)

    return run


def _networks(card: Card, folder: Path) -> list[FromWindows]:
    networks = []
    classes: tuple[Any, ...] = (PNet, RNet, ONet)
    for file, build in zip(card.files, classes, strict=True):
        network = build(pretrained=False)
        network.load_state_dict(torch.load(folder / file.name, weights_only=True))
        networks.append(FromWindows(network).eval())
    return networks
