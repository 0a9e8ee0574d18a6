"""RetinaFace in PyTorch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, interpolate, relu

from models.architectures.retinaface import MEAN_RGB
from models.card import Card
from models.detectors.retinaface import RetinaFaceNetwork
from models.device import Device
from models.originals.torch_state import load_state


def original(card: Card, folder: Path, device: Device) -> tuple[RetinaFaceNetwork]:
    """The network in PyTorch, with the input and outputs of the export."""
    weights = load_state(folder / card.files[0].name, device)
    network = _RetinaFace({name.removeprefix("module."): value for name, value in weights.items()})

    @torch.inference_mode()
    def run(photos: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        # The network was trained on BGR.
        pixels = torch.from_numpy(np.ascontiguousarray(photos[..., ::-1])).to(device.kind)
        return [answer.cpu().numpy() for answer in network.answers(pixels.permute(0, 3, 1, 2).float())]

    return (run,)


class _RetinaFace:
    """The network, with layers named after their weights."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self._weights = weights

    def answers(self, planes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = planes - torch.tensor(MEAN_RGB[::-1], device=planes.device)[:, None, None]
        x = self._convolution(x, "body.stage1.0", stride=2)
        fine = self._separable(x, "body.stage1", {1: 1, 2: 2, 3: 1, 4: 2, 5: 1})
        middle = self._separable(fine, "body.stage2", {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1})
        coarse = self._separable(middle, "body.stage3", {0: 2, 1: 1})
        pyramid = self._pyramid(fine, middle, coarse)
        levels = [self._context(level, f"ssh{number}") for number, level in enumerate(pyramid, 1)]
        scores = self._heads(levels, "ClassHead", 2).softmax(2)[:, :, 1]
        return scores, self._heads(levels, "BboxHead", 4), self._heads(levels, "LandmarkHead", 10)

    def _separable(self, x: Tensor, stage: str, strides: dict[int, int]) -> Tensor:
        """Run the depthwise and the pointwise convolution of each block."""
        for block, stride in strides.items():
            x = self._convolution(x, f"{stage}.{block}", stride=stride)
            x = self._convolution(x, f"{stage}.{block}", first=3)
        return x

    def _pyramid(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Add the features of the coarser levels to each level."""
        coarse = self._convolution(coarse, "fpn.output3")
        middle = self._convolution(middle, "fpn.output2")
        middle = self._convolution(middle + interpolate(coarse, size=middle.shape[2:]), "fpn.merge2")
        fine = self._convolution(fine, "fpn.output1")
        fine = self._convolution(fine + interpolate(middle, size=fine.shape[2:]), "fpn.merge1")
        return fine, middle, coarse

    def _context(self, level: Tensor, name: str) -> Tensor:
        """Parallel receptive fields of 3, 5 and 7 pixels, made of 3x3 convolutions."""
        narrow = self._convolution(level, f"{name}.conv3X3", active=False)
        wider = self._convolution(level, f"{name}.conv5X5_1")
        middle = self._convolution(wider, f"{name}.conv5X5_2", active=False)
        wide = self._convolution(self._convolution(wider, f"{name}.conv7X7_2"), f"{name}.conv7x7_3", active=False)
        return relu(torch.cat([narrow, middle, wide], 1))

    def _heads(self, levels: list[Tensor], head: str, values: int) -> Tensor:
        """Run the head of every level, and return its `values` numbers per anchor, (n, anchors, values)."""
        rows = []
        for number, level in enumerate(levels):
            kernel, bias = (self._weights[f"{head}.{number}.conv1x1.{part}"] for part in ("weight", "bias"))
            rows.append(conv2d(level, kernel, bias).permute(0, 2, 3, 1).reshape(len(level), -1, values))
        return torch.cat(rows, 1)

    def _convolution(self, x: Tensor, name: str, *, first: int = 0, stride: int = 1, active: bool = True) -> Tensor:
        """A convolution with its batch normalisation: entries `first` and `first` + 1 of a sequence."""
        kernel = self._weights[f"{name}.{first}.weight"]
        groups = len(kernel) if kernel.shape[1] == 1 else 1
        x = conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2, groups=groups)
        mean, variance, weight, bias = (
            self._weights[f"{name}.{first + 1}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = batch_norm(x, mean, variance, weight, bias)
        return relu(x) if active else x
