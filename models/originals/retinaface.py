"""RetinaFace in PyTorch. Attribute names match the names of the weights."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from models.architectures.retinaface import MEAN_RGB
from models.card import Card
from models.device import Device

WIDTH = 64
"""Channels of the pyramid."""
LEVELS, ANCHORS = 3, 2
"""Levels of the pyramid, and anchors in each cell of one."""


def original(card: Card, folder: Path, device: Device) -> Callable[[NDArray[np.uint8]], Sequence[NDArray[np.float32]]]:
    """The network in PyTorch, with the input and outputs of the export."""
    weights = torch.load(folder / card.files[0].name, map_location="cpu", weights_only=True)
    network = _RetinaFace()
    network.load_state_dict({name.removeprefix("module."): value for name, value in weights.items()})
    network.eval().to(device.kind)

    @torch.inference_mode()
    def run(photos: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        # The network was trained on BGR.
        pixels = torch.from_numpy(np.ascontiguousarray(photos[..., ::-1])).to(device.kind)
        return [answer.cpu().numpy() for answer in network(pixels.permute(0, 3, 1, 2).float())]

    return run


class _RetinaFace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = _MobileNet()
        self.fpn = _FeaturePyramid()
        self.ssh1, self.ssh2, self.ssh3 = _Context(), _Context(), _Context()
        self.ClassHead, self.BboxHead, self.LandmarkHead = _Heads(2), _Heads(4), _Heads(10)

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = torch.tensor(MEAN_RGB[::-1], device=planes.device)
        pyramid = self.fpn(*self.body(planes - mean[:, None, None]))
        levels = [context(level) for context, level in zip((self.ssh1, self.ssh2, self.ssh3), pyramid, strict=True)]
        return self.ClassHead(levels).softmax(2)[:, :, 1], self.BboxHead(levels), self.LandmarkHead(levels)


class _MobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            _convolution(3, 8, 3, stride=2),
            _separable(8, 16),
            _separable(16, 32, stride=2),
            _separable(32, 32),
            _separable(32, 64, stride=2),
            _separable(64, 64),
        )
        self.stage2 = nn.Sequential(_separable(64, 128, stride=2), *(_separable(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(_separable(128, 256, stride=2), _separable(256, 256))

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features at strides 8, 16 and 32."""
        fine = self.stage1(planes)
        middle = self.stage2(fine)
        return fine, middle, self.stage3(middle)


class _FeaturePyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = (_convolution(width, WIDTH, 1) for width in (64, 128, 256))
        self.merge1, self.merge2 = _convolution(WIDTH, WIDTH, 3), _convolution(WIDTH, WIDTH, 3)

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Add the features of the coarser levels to each level."""
        coarse = self.output3(coarse)
        middle = self.output2(middle)
        middle = self.merge2(middle + interpolate(coarse, size=middle.shape[2:]))
        fine = self.output1(fine)
        fine = self.merge1(fine + interpolate(middle, size=fine.shape[2:]))
        return fine, middle, coarse


class _Context(nn.Module):
    """Parallel receptive fields of 3, 5 and 7 pixels, made of 3x3 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = WIDTH // 2, WIDTH // 4
        self.conv3X3 = _convolution(WIDTH, half, 3, active=False)
        self.conv5X5_1 = _convolution(WIDTH, quarter, 3)
        self.conv5X5_2 = _convolution(quarter, quarter, 3, active=False)
        self.conv7X7_2 = _convolution(quarter, quarter, 3)
        self.conv7x7_3 = _convolution(quarter, quarter, 3, active=False)

    def forward(self, level: Tensor) -> Tensor:
        wide = self.conv5X5_1(level)
        return relu(torch.cat([self.conv3X3(level), self.conv5X5_2(wide), self.conv7x7_3(self.conv7X7_2(wide))], 1))


def _convolution(inputs: int, outputs: int, side: int, stride: int = 1, active: bool = True) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
    activation = [nn.ReLU()] if active else []
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), *activation)


def _separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
    return nn.Sequential(depthwise, nn.BatchNorm2d(inputs), nn.ReLU(), *_convolution(inputs, outputs, 1))


class _Head(nn.Module):
    def __init__(self, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(WIDTH, ANCHORS * values, 1)

    def forward(self, level: Tensor) -> Tensor:
        planes: Tensor = self.conv1x1(level)
        return planes.permute(0, 2, 3, 1).reshape(len(level), -1, self.values)


class _Heads(nn.ModuleList):
    """One head per level. Together they return `values` numbers per anchor."""

    def __init__(self, values: int) -> None:
        super().__init__(_Head(values) for _ in range(LEVELS))

    def forward(self, levels: list[Tensor]) -> Tensor:
        return torch.cat([head(level) for head, level in zip(self, levels, strict=True)], 1)
