"""The two MiniFASNets in PyTorch."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.architectures.minifasnet import LIVE, SPOOFS
from models.card import Card
from models.device import Device

StateDict: TypeAlias = dict[str, Tensor]
Layers: TypeAlias = OrderedDict[str, nn.Module]


class Crmnet(nn.Module):
    """The authors' two networks in evaluation mode, fused by the mean of their live probabilities."""

    def __init__(self, v2: StateDict, v1se: StateDict) -> None:
        """Build both from their state dicts.

        Raises:
            KeyError, RuntimeError: a state dict is not that of a MiniFASNet.
        """
        super().__init__()
        self.v2 = _minifasnet(v2)
        self.v1se = _minifasnet(v1se)
        self.eval()

    def forward(self, crop_v2: Tensor, crop_v1se: Tensor) -> Tensor:
        """Score n faces from crops of 2.7 and 4 times their box.

        Args:
            crop_v2: uint8 (n, 80, 80, 3) RGB.
            crop_v1se: uint8 (n, 80, 80, 3) RGB.

        Returns:
            The live logit, float32 (n): log(p / (1 - p)) of the mean p of both live probabilities, computed from their
            logarithms, which do not saturate.
        """
        both = torch.stack([_log_probabilities(self.v2, crop_v2), _log_probabilities(self.v1se, crop_v1se)], dim=1)
        return both[:, :, LIVE].logsumexp(1) - both[:, :, SPOOFS].logsumexp((1, 2))


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """Both networks in PyTorch, fused as in the export."""
    network = _load(card, folder).to(device.kind)

    @torch.inference_mode()
    def logits(*crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        answers = network(*(torch.tensor(crop, device=device.kind) for crop in crops))
        return np.asarray(answers.cpu(), dtype=np.float32)

    return logits


def _load(card: Card, folder: Path) -> Crmnet:
    return Crmnet(*(torch.load(folder / file.name, map_location="cpu", weights_only=True) for file in card.files))


def _log_probabilities(network: nn.Sequential, crops: Tensor) -> Tensor:
    # The authors feed pixels from 0 to 255.
    logits: Tensor = network(crops.permute(0, 3, 1, 2).float())
    return logits.log_softmax(1)


def _minifasnet(weights: StateDict) -> nn.Sequential:
    """Build the network. Pruning left no pattern in its widths, so they are read from the weights."""
    # DataParallel added the prefix, and a wrapper around the blocks of each stage added ".model".
    weights = {name.removeprefix("module.").replace(".model.", "."): value for name, value in weights.items()}
    # The network was trained on BGR. Flipped, its first kernels accept RGB.
    weights["conv1.conv.weight"] = weights["conv1.conv.weight"].flip(1)
    network = nn.Sequential(
        Layers(
            conv1=_convolution(_below("conv1", weights), stride=2),
            conv2_dw=_convolution(_below("conv2_dw", weights)),
            conv_23=nn.Sequential(_bottleneck(_below("conv_23", weights), stride=2)),
            conv_3=_stage(_below("conv_3", weights)),
            conv_34=nn.Sequential(_bottleneck(_below("conv_34", weights), stride=2)),
            conv_4=_stage(_below("conv_4", weights)),
            conv_45=nn.Sequential(_bottleneck(_below("conv_45", weights), stride=2)),
            conv_5=_stage(_below("conv_5", weights)),
            conv_6_sep=_convolution(_below("conv_6_sep", weights)),
            conv_6_dw=_convolution(_below("conv_6_dw", weights), padded=False),
            flatten=nn.Flatten(),
            linear=_linear(weights["linear.weight"]),
            bn=nn.BatchNorm1d(len(weights["bn.weight"])),
            prob=_linear(weights["prob.weight"]),
        )
    )
    network.load_state_dict(weights)
    return network


def _below(name: str, weights: StateDict) -> StateDict:
    return {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}


def _stage(weights: StateDict) -> nn.Sequential:
    blocks = len({key.split(".")[0] for key in weights})
    return nn.Sequential(*(_Branch(_bottleneck(_below(str(block), weights)), torch.add) for block in range(blocks)))


def _bottleneck(weights: StateDict, stride: int = 1) -> Layers:
    layers = Layers(
        conv=_convolution(_below("conv", weights)),
        conv_dw=_convolution(_below("conv_dw", weights), stride),
        project=_convolution(_below("project", weights)),
    )
    if gates := _below("se_module", weights):
        layers["se_module"] = _Branch(_gates(gates), torch.mul)
    return layers


def _gates(weights: StateDict) -> Layers:
    return Layers(
        pool=nn.AdaptiveAvgPool2d(1),
        fc1=_conv2d(weights["fc1.weight"]),
        bn1=nn.BatchNorm2d(len(weights["bn1.weight"])),
        relu=nn.ReLU(),
        fc2=_conv2d(weights["fc2.weight"]),
        bn2=nn.BatchNorm2d(len(weights["bn2.weight"])),
        sigmoid=nn.Sigmoid(),
    )


class _Branch(nn.Sequential):
    """Layers whose result is joined with their input: added as a residual, or multiplied as gates."""

    def __init__(self, layers: Layers, join: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(layers)
        self._join = join

    def forward(self, planes: Tensor) -> Tensor:
        result = planes
        for layer in self:
            result = layer(result)
        return self._join(planes, result)


def _convolution(weights: StateDict, stride: int = 1, padded: bool = True) -> nn.Sequential:
    kernel = weights["conv.weight"]
    layers = Layers(conv=_conv2d(kernel, stride, padded), bn=nn.BatchNorm2d(len(kernel)))
    if "prelu.weight" in weights:
        layers["prelu"] = nn.PReLU(len(kernel))
    return nn.Sequential(layers)


def _conv2d(kernel: Tensor, stride: int = 1, padded: bool = True) -> nn.Conv2d:
    """A convolution for `kernel`, (outputs, inputs per group, side, side). With one input per group it is depthwise."""
    outputs, inputs, side, _ = kernel.shape
    groups = outputs if inputs == 1 else 1
    return nn.Conv2d(inputs * groups, outputs, side, stride, side // 2 if padded else 0, groups=groups, bias=False)


def _linear(weight: Tensor) -> nn.Linear:
    outputs, inputs = weight.shape
    return nn.Linear(inputs, outputs, bias=False)
