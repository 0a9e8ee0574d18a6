"""Load a file of weights into PyTorch."""

from pathlib import Path

import torch

from models.device import Device
from models.weights.torch_file import read_state


def load_state(path: Path, device: Device) -> dict[str, torch.Tensor]:
    """Read the state dict at `path` into tensors on `device`.

    Raises:
        ModelError: the file is damaged, or contains anything but a state dict.
    """
    return {name: torch.from_numpy(array).to(device.kind) for name, array in read_state(path).items()}
