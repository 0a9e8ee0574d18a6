"""Load weights into PyTorch."""

from pathlib import Path

import torch

from models.device import Device
from models.weights.torch_file import read_state


def torch_weights(path: Path, device: Device) -> dict[str, torch.Tensor]:
    """Read the state dict at `path` into tensors on `device`."""
    return {name: torch.from_numpy(array).to(device.kind) for name, array in read_state(path).items()}
