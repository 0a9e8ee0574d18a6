"""facenet-pytorch's InceptionResnetV1, which takes crops.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
AAAI 2017, trained as a FaceNet (Schroff et al., CVPR 2015).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import InceptionResnetV1
from facenet_pytorch.models.inception_resnet_v1 import Block8, Block17, Block35
from numpy.typing import NDArray

from models.card import Card
from models.device import Device
from models.onnx_graph import OPSET


class FaceNet(torch.nn.Module):
    """From uint8 (n, 160, 160, 3) RGB crops to embeddings, float32 (n, size) of length 1.

    Args:
        network: the body, which takes float (n, 3, 160, 160).
        per_image: standardise each crop by its own mean and standard deviation, as David Sandberg's FaceNet and its
            Keras ports do. If not, by (x - 127.5) / 128, as facenet-pytorch does.
    """

    def __init__(self, network: torch.nn.Module, per_image: bool) -> None:
        super().__init__()
        self.network = network
        self.per_image = per_image

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        pixels = crops.permute(0, 3, 1, 2).to(torch.float32)
        if self.per_image:
            mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
            centred = pixels - mean
            deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            # The minimum avoids a division by zero for a crop of one colour.
            prepared = centred / deviation.clamp(min=(3 * 160 * 160) ** -0.5)
        else:
            prepared = (pixels - 127.5) / 128
        return torch.nn.functional.normalize(self.network(prepared))


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 160, 160, 3) RGB to float32 (n, size) of length 1."""
    export_facenet(_network(card, folder), folder / card.exports[0])


def export_facenet(network: FaceNet, path: Path) -> None:
    """Write `network` as an ONNX file."""
    for block in network.modules():
        # Folding the residual's scale into the convolution before it saves a pass over the data per block.
        if isinstance(block, Block35 | Block17 | Block8):
            with torch.no_grad():
                block.conv2d.weight *= block.scale
                block.conv2d.bias *= block.scale
            block.scale = 1
    torch.onnx.export(
        network,
        (torch.zeros(2, 160, 160, 3, dtype=torch.uint8),),
        path,
        dynamo=True,
        opset_version=OPSET,
        input_names=["crops"],
        output_names=["embedding"],
        dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
        external_data=False,
        verbose=False,
    )


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in PyTorch, with the input and output of the export."""
    network = _network(card, folder).to(device.kind)

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            embeddings = network(torch.from_numpy(np.ascontiguousarray(crops)).to(device.kind))
        return np.asarray(embeddings.cpu().numpy(), dtype=np.float32)

    return embed


def _network(card: Card, folder: Path) -> FaceNet:
    weights = torch.load(folder / card.files[0].name, weights_only=True)
    # The classifier of the training identities is not used for embeddings.
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith("logits.")}
    body = InceptionResnetV1(pretrained=None, classify=False)
    body.load_state_dict(weights)
    return FaceNet(body, per_image=False).eval()
