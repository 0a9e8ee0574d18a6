"""TensorFlow Lite files: the original runtime and the conversion to ONNX."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tensorflow
from numpy.typing import NDArray
from onnx import ModelProto
from tf2onnx.convert import from_tflite
from tf2onnx.handler import tfl_op
from tf2onnx.tflite_handlers.tfl_math import TflFullyConnectedOp
from tf2onnx.utils import make_name

from models.onnx_graph import OPSET, with_any_batch


@tfl_op(["TFL_FULLY_CONNECTED"])
class FullyConnected:
    """Flattens the input of a fully connected layer before tf2onnx sees it.

    tf2onnx 1.17 flattens an input of more than two dimensions itself, and loses the layer's bias
    as it does so: every photo then looks live to the deep tree network.
    """

    @classmethod
    def to_tf(cls, graph: Any, node: Any, **kwargs: Any) -> None:
        """Convert `node` in place."""
        if node.attr["keep_num_dims"].i == 0 and graph.get_rank(node.input[0]) != 2:
            width = graph.get_shape(node.input[1])[1]
            shape = graph.make_const(make_name("flat_shape"), np.array([-1, width], np.int64))
            flat = graph.make_node("Reshape", [node.input[0], shape.output[0]])
            flat.skip_conversion = True
            graph.replace_inputs(node, [flat.output[0], *node.input[1:]])
        TflFullyConnectedOp.to_tf(graph, node, **kwargs)


def to_onnx(path: Path) -> ModelProto:
    """The float network in the .tflite file at `path`, for batches of any size."""
    model, _ = from_tflite(str(path), opset=OPSET)
    return with_any_batch(model)


def interpreter(path: Path, threads: int) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """The .tflite file at `path` in TensorFlow Lite: one batch in, all outputs out, ordered by name.

    May be called from several threads. An interpreter keeps a call's tensors in its own memory, so the calls take
    turns: without that, one face's embedding could be returned for another face.
    """
    runtime = tensorflow.lite.Interpreter(model_path=str(path), num_threads=threads)
    entry = runtime.get_input_details()[0]["index"]
    outputs = sorted(runtime.get_output_details(), key=lambda output: str(output["name"]))
    turn = Lock()

    def run(batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with turn:
            runtime.resize_tensor_input(entry, batch.shape)
            runtime.allocate_tensors()
            runtime.set_tensor(entry, batch)
            runtime.invoke()
            # Copies, which the next call does not overwrite.
            return [runtime.get_tensor(output["index"]) for output in outputs]

    return run
