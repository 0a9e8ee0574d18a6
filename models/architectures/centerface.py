"""CenterFace, published as an ONNX file.

Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", Scientific Programming 2020,
arXiv:1911.03599. The backbone is a MobileNetV2 (Sandler et al., CVPR 2018) with a feature pyramid.
"""

from pathlib import Path

import onnx
from onnx import ModelProto

from models.card import Card
from models.onnx_graph import current, with_constant_weights, with_photos_in


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, height, width, 3) RGB, sides multiples of 32, to the four maps."""
    core = with_free_shape(with_constant_weights(onnx.load(folder / card.files[0].name)))
    onnx.save(with_photos_in(current(core)), folder / card.exports[0])


def with_free_shape(core: ModelProto) -> ModelProto:
    """Let `core` take any number of photos of any size, instead of the fixed shape in its file."""
    shapes = [("n", "height", "width"), *[("n", "quarter_height", "quarter_width")] * len(core.graph.output)]
    for entry, names in zip((*core.graph.input, *core.graph.output), shapes, strict=True):
        count, _, height, width = entry.type.tensor_type.shape.dim
        count.dim_param, height.dim_param, width.dim_param = names
    return core
