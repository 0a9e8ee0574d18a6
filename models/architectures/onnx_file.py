"""Networks whose weights are an ONNX file. The card describes the processing in [input] and [output]."""

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto

from models.card import Card
from models.input import Input
from models.network_check import check_input, check_logits, load_onnx_file, output_sizes
from models.onnx_graph import with_answer, with_any_batch, with_crops_in, with_crops_side_by_side
from models.onnx_prelu import with_split_prelus


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, size, size, 3) RGB, one input per crop, to the task's answer."""
    core = with_split_prelus(with_any_batch(_checked(card, folder / card.files[0].name)))
    model = with_answer(with_crops_in(core, card.crops[0].size, input_of(card)), card)
    if (count := len(card.crops)) > 1:
        model = with_crops_side_by_side(model, card.crops[0].size, count)
    onnx.save(model, folder / card.exports[0])


def _checked(card: Card, path: Path) -> ModelProto:
    """Load the original file, check that it fits the card, and declare the sizes of its outputs in it."""
    model, size = load_onnx_file(path), card.crops[0].size
    check_input(model, size, input_of(card))
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    [crop] = input_of(card).prepared(np.full((1, size, size, 3), 128, np.uint8))
    sizes = output_sizes(path, crop, batch)
    if card.face_task.takes_logits:
        # After the network has run: ONNX Runtime rejects a graph with a cycle, on which this check would never end.
        check_logits(model)
    for entry, length in zip(model.graph.output, sizes, strict=True):
        entry.CopyFrom(onnx.helper.make_tensor_value_info(entry.name, TensorProto.FLOAT, [batch, length]))
    return model


def input_of(card: Card) -> Input:
    """Return the preprocessing on the card."""
    # The card's validation requires it for this architecture.
    assert card.input is not None
    return card.input
