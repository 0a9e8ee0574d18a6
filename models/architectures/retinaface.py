"""RetinaFace with a quarter-width MobileNet: a box, a score and five landmarks for every anchor.

Deng et al., "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild", CVPR 2020, without
its dense 3D branch. Backbone: Howard et al., "MobileNets", 2017; pyramid: Lin et al., "Feature
Pyramid Networks", CVPR 2017; context modules: Najibi et al., "SSH", ICCV 2017; anchors and their
decoding: Liu et al., "SSD", ECCV 2016.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from models.card import Card
from models.device import Device
from models.onnx_graph import OPSET

AnchorFaces: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Boxes, scores and landmarks as returned by `RetinaFaceModule.forward`."""

MEAN_RGB = (123.0, 117.0, 104.0)
LEVELS = ((8, (10, 20)), (16, (32, 64)), (32, (128, 256)))
"""Stride of each level of the pyramid and the sides of its two square anchors, in pixels."""
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
WIDTH = 64
"""Channels of the pyramid."""


class RetinaFaceModule(nn.Module):
    """The network and the decoding of its anchors. Attributes have the names of the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.body = _MobileNet()
        self.fpn = _FeaturePyramid()
        self.ssh1, self.ssh2, self.ssh3 = _Context(), _Context(), _Context()
        self.ClassHead, self.BboxHead, self.LandmarkHead = _Heads(2), _Heads(4), _Heads(10)

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score every anchor. Overlapping boxes of the same face are not suppressed.

        Args:
            photo: uint8 (1, height, width, 3) RGB, of any size.

        Returns:
            float32, in pixels of the photo: boxes (anchors, 4) as left, top, right, bottom; scores (anchors), 0 to 1;
            landmarks (anchors, 5, 2) as left eye, right eye, nose tip, left and right corner of the mouth, where left
            and right are those of the photo.
        """
        mean = torch.tensor(MEAN_RGB, device=photo.device)
        planes = photo.permute(0, 3, 1, 2).float() - mean[:, None, None]
        pyramid = self.fpn(*self.body(planes))
        levels = [context(level) for context, level in zip((self.ssh1, self.ssh2, self.ssh3), pyramid, strict=True)]
        anchors = torch.cat([_anchors(level, *spec) for level, spec in zip(levels, LEVELS, strict=True)])
        centres, sides = anchors[:, :2], anchors[:, 2:]

        scores = self.ClassHead(levels).softmax(1)[:, 1]
        offsets = self.BboxHead(levels)
        middles = centres + CENTRE_VARIANCE * sides * offsets[:, :2]
        halves = sides * torch.exp(SIZE_VARIANCE * offsets[:, 2:]) / 2
        boxes = torch.cat([middles - halves, middles + halves], 1)
        shifts = self.LandmarkHead(levels).reshape(-1, 5, 2)
        landmarks = centres[:, None] + CENTRE_VARIANCE * sides[:, None] * shifts
        return boxes, scores, landmarks


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (1, height, width, 3) RGB to boxes, scores and landmarks."""
    torch.onnx.export(
        _load(card, folder),
        (torch.zeros(1, 250, 330, 3, dtype=torch.uint8),),
        folder / card.exports[0],
        input_names=["photo"],
        output_names=["boxes", "scores", "landmarks"],
        dynamic_shapes=({1: torch.export.Dim("height"), 2: torch.export.Dim("width")},),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def original(card: Card, folder: Path, device: Device) -> Callable[[NDArray[np.uint8]], AnchorFaces]:
    """The network in PyTorch, for one photo, uint8 (height, width, 3) RGB."""
    network = _load(card, folder).to(device.kind)

    @torch.inference_mode()
    def look(pixels: NDArray[np.uint8]) -> AnchorFaces:
        boxes, scores, landmarks = network(torch.tensor(pixels[None], device=device.kind))
        return boxes.cpu().numpy(), scores.cpu().numpy(), landmarks.cpu().numpy()

    return look


def _load(card: Card, folder: Path) -> RetinaFaceModule:
    weights = torch.load(folder / card.files[0].name, map_location="cpu", weights_only=True)
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    # It was trained on BGR. With its first kernels flipped it takes RGB.
    weights["body.stage1.0.0.weight"] = weights["body.stage1.0.0.weight"].flip(1)
    network = RetinaFaceModule()
    network.load_state_dict(weights)
    return network.eval()


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
        """Add to each level the features of the coarser ones."""
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
    def __init__(self, values: int, anchors: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(WIDTH, anchors * values, 1)

    def forward(self, level: Tensor) -> Tensor:
        return torch.reshape(self.conv1x1(level).permute(0, 2, 3, 1), (-1, self.values))


class _Heads(nn.ModuleList):
    """One head per level. Together they return `values` numbers per anchor."""

    def __init__(self, values: int) -> None:
        super().__init__(_Head(values, len(sides)) for _, sides in LEVELS)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Return (anchors, values), in the order of `_anchors`."""
        return torch.cat([head(level) for head, level in zip(self, levels, strict=True)])


def _anchors(level: Tensor, stride: int, sides: tuple[int, ...]) -> Tensor:
    """Centre x, centre y and side of the anchors in pixels, (rows * columns * sides, 3), the side varying fastest."""
    rows, columns = ((torch.arange(count, device=level.device) + 0.5) * stride for count in level.shape[2:])
    lengths = torch.tensor(sides, dtype=torch.float32, device=level.device)
    y, x, side = torch.meshgrid(rows, columns, lengths, indexing="ij")
    return torch.stack([x, y, side], 3).reshape(-1, 3)
