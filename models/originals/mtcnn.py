"""MTCNN's three networks in PyTorch, as facenet-pytorch builds them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray

from models.architectures.mtcnn import MEAN, STD
from models.card import Card
from models.detectors.mtcnn import CascadeNetwork
from models.device import Device
from models.originals.torch_state import load_state


def original(card: Card, folder: Path, device: Device) -> tuple[CascadeNetwork, ...]:
    """PNet, RNet and ONet in PyTorch, with the inputs and outputs of their exports."""
    networks = []
    classes: tuple[Any, ...] = (PNet, RNet, ONet)
    for file, build in zip(card.files, classes, strict=True):
        network = build(pretrained=False)
        network.load_state_dict(load_state(folder / file.name, device))
        networks.append(_runner(network.eval().to(device.kind), device))
    return tuple(networks)


def _runner(network: torch.nn.Module, device: Device) -> CascadeNetwork:
    @torch.inference_mode()
    def run(windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        planes = torch.from_numpy(windows).to(device.kind).permute(0, 3, 1, 2)
        regression, *landmarks, probabilities = network((planes - MEAN) / STD)
        outputs = (probabilities[:, 1], regression, *landmarks)
        return tuple(output.cpu().numpy() for output in outputs)

    return run
