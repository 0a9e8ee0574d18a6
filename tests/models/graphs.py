"""Small ONNX graphs, written as text, and their answers."""

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from models.onnx_graph import OPSET

Floats = NDArray[np.float32]


def written(graph: str, opset: int = OPSET, /, **constants: NDArray[np.generic]) -> ModelProto:
    """A model of this graph with these constants."""
    model: ModelProto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{graph}')
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    return model


def identity(*shapes: str) -> ModelProto:
    """A model that returns its inputs, float32 of these shapes."""
    taken, given = (", ".join(f"float[{shape}] {end}{at}" for at, shape in enumerate(shapes)) for end in "xy")
    body = " ".join(f"y{at} = Identity (x{at})" for at in range(len(shapes)))
    return written(f"core ({taken}) => ({given}) {{ {body} }}")


def answers(model: ModelProto, *arrays: NDArray[np.generic]) -> list[Floats]:
    """Check a model and run it on one thread."""
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return [np.asarray(each) for each in session.run(None, dict(zip(names, arrays, strict=True)))]


def floats(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(scale=3, size=shape).astype(np.float32)
