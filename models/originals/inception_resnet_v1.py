"""facenet-pytorch's InceptionResnetV1 in PyTorch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import InceptionResnetV1
from numpy.typing import NDArray

from models.architectures.inception_resnet_v1 import MEAN, STD
from models.card import Card
from models.device import Device
from models.originals.torch_state import load_state


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in PyTorch, with the input and output of the export."""
    weights = load_state(folder / card.files[0].name, device)
    network = InceptionResnetV1(pretrained=None, classify=False)
    # The classifier of the training identities is not used for embeddings.
    network.load_state_dict({name: tensor for name, tensor in weights.items() if not name.startswith("logits.")})
    network.eval().to(device.kind)

    @torch.inference_mode()
    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(device.kind).permute(0, 3, 1, 2)
        return np.asarray(network((pixels - MEAN) / STD).cpu().numpy(), dtype=np.float32)

    return embed
