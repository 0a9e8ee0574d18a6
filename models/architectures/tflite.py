"""Run TensorFlow Lite files, and convert them to ONNX."""

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
    """Flattens the input of a fully connected layer before tf2onnx converts the layer.

    tf2onnx 1.17 flattens inputs of more than two dimensions itself, but loses the layer's bias: the deep tree network
    then takes every photo for live.
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
    """Convert the float network in the .tflite file at `path`, for batches of any size."""
    model, _ = from_tflite(str(path), opset=OPSET)
    return with_any_batch(model)


def interpreter(path: Path, threads: int) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Load the .tflite file at `path` in TensorFlow Lite.

    Returns:
        A thread-safe function from one batch to all outputs, ordered by name. A lock serialises its calls, because the
        interpreter keeps their tensors in shared memory: one face could otherwise get another face's embedding.
    """
    runtime = tensorflow.lite.Interpreter(model_path=str(path), num_threads=threads)
    entry = runtime.get_input_details()[0]["index"]
    outputs = sorted(runtime.get_output_details(), key=lambda output: str(output["name"]))
    lock = Lock()

    def run(batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with lock:
            runtime.resize_tensor_input(entry, batch.shape)
            runtime.allocate_tensors()
            runtime.set_tensor(entry, batch)
            runtime.invoke()
            # get_tensor copies, so the next call does not overwrite these.
            return [runtime.get_tensor(output["index"]) for output in outputs]

    return run
