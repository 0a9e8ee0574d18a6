"""The two MiniFASNets in PyTorch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, linear, prelu

from models.architectures.minifasnet import LIVE, SPOOFS
from models.card import Card
from models.device import Device
from models.originals.torch_state import load_state


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """Both networks in PyTorch, fused as in the export."""
    networks = [_MiniFasNet(load_state(folder / file.name, device)) for file in card.files]

    @torch.inference_mode()
    def logits(*crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        both = torch.stack(
            [
                network.logits(torch.tensor(crop, device=device.kind)).log_softmax(1)
                for network, crop in zip(networks, crops, strict=True)
            ],
            dim=1,
        )
        live = both[:, :, LIVE].logsumexp(1) - both[:, :, SPOOFS].logsumexp((1, 2))
        return np.asarray(live.cpu(), dtype=np.float32)

    return logits


class _MiniFasNet:
    """One of the two networks. Pruning left no pattern in its widths, so they are read from the weights."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        # DataParallel added the prefix, and a wrapper around the blocks of each stage added ".model".
        self._weights = {name.removeprefix("module.").replace(".model.", "."): value for name, value in weights.items()}

    def logits(self, crops: Tensor) -> Tensor:
        """From uint8 (n, 80, 80, 3) RGB to (n, 3). The authors feed BGR pixels from 0 to 255."""
        x = self._convolution(crops.flip(3).permute(0, 3, 1, 2).float(), "conv1", stride=2)
        x = self._convolution(x, "conv2_dw")
        x = self._stage(self._bottleneck(x, "conv_23", stride=2), "conv_3")
        x = self._stage(self._bottleneck(x, "conv_34", stride=2), "conv_4")
        x = self._stage(self._bottleneck(x, "conv_45", stride=2), "conv_5")
        x = self._convolution(x, "conv_6_sep")
        x = self._convolution(x, "conv_6_dw", padded=False).flatten(1)
        x = self._normalised(linear(x, self._weights["linear.weight"]), "bn")
        return linear(x, self._weights["prob.weight"])

    def _stage(self, x: Tensor, name: str) -> Tensor:
        for block in range(len({key.split(".")[1] for key in self._weights if key.startswith(f"{name}.")})):
            x = x + self._bottleneck(x, f"{name}.{block}")
        return x

    def _bottleneck(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        x = self._convolution(x, f"{name}.conv")
        x = self._convolution(x, f"{name}.conv_dw", stride)
        x = self._convolution(x, f"{name}.project")
        if f"{name}.se_module.fc1.weight" not in self._weights:
            return x
        gates = x.mean((2, 3), keepdim=True)
        for layer, norm, activation in (("fc1", "bn1", torch.relu), ("fc2", "bn2", torch.sigmoid)):
            gates = conv2d(gates, self._weights[f"{name}.se_module.{layer}.weight"])
            gates = activation(self._normalised(gates, f"{name}.se_module.{norm}"))
        return x * gates

    def _convolution(self, x: Tensor, name: str, stride: int = 1, padded: bool = True) -> Tensor:
        """A convolution, depthwise if its kernel has one input channel, with its normalisation and PReLU."""
        kernel = self._weights[f"{name}.conv.weight"]
        groups = len(kernel) if kernel.shape[1] == 1 else 1
        x = conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2 if padded else 0, groups=groups)
        x = self._normalised(x, f"{name}.bn")
        slopes = self._weights.get(f"{name}.prelu.weight")
        return x if slopes is None else prelu(x, slopes)

    def _normalised(self, x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            self._weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return batch_norm(x, mean, variance, weight, bias)
