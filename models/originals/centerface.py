"""CenterFace's published ONNX file."""

from pathlib import Path

import numpy as np

from models.card import Card
from models.detectors.centerface import CenterFaceNetwork
from models.device import Device
from models.onnx_session import OnnxNetwork


def original(card: Card, folder: Path, device: Device) -> tuple[CenterFaceNetwork]:
    """The published file, with preprocessing in numpy. It only takes uint8 (10, 32, 32, 3) RGB."""
    network = OnnxNetwork(folder / card.files[0].name, device)
    return (lambda photos: network(photos.transpose(0, 3, 1, 2).astype(np.float32)),)
