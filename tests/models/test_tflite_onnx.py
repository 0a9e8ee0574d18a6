"""TensorFlow Lite files that cannot be converted are errors of the model; `test_parity` compares those that can."""

from pathlib import Path

import flatbuffers
import pytest

from models.errors import ModelError
from models.tflite_onnx import to_onnx  # loads mediapipe without TensorFlow, so it comes first

# isort: split
from mediapipe.tasks.metadata import schema_py_generated as schema


def network(operator: int, **options: int) -> bytes:
    """A network of one operator without weights."""
    tensors = [schema.TensorT(name=name, shape=[1, 4], buffer=0) for name in "xy"]
    node = schema.OperatorT(opcodeIndex=0, inputs=[0], outputs=[1], builtinOptions=schema.AddOptionsT(**options))
    node.builtinOptionsType = schema.BuiltinOptions.AddOptions
    graph = schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[1], operators=[node])
    model = schema.ModelT(subgraphs=[graph], operatorCodes=[schema.OperatorCodeT(builtinCode=operator)])
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (network(schema.BuiltinOperator.SOFTMAX), "operator SOFTMAX, "),
        (
            network(schema.BuiltinOperator.ADD, fusedActivationFunction=1),
            "operator ADD, or its activation",
        ),
        (network(schema.BuiltinOperator.STRIDED_SLICE), "is not a TensorFlow Lite file of a float network"),
        (network(9999), "is not a TensorFlow Lite file of a float network"),
        (network(schema.BuiltinOperator.ABS)[:-99], "is not a TensorFlow Lite file of a float network"),
        (b"", "is not a TensorFlow Lite file of a float network"),
    ],
    ids=["operator", "activation", "options", "code", "truncated", "empty"],
)
def test_other_files_are_rejected(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=problem):
        to_onnx(path)


def test_inputs_and_outputs_keep_their_names_and_get_a_free_batch(tmp_path: Path) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(network(schema.BuiltinOperator.ABS))
    graph = to_onnx(path).graph
    [[entry], [output]] = graph.input, graph.output
    assert (entry.name, output.name) == ("x", "y")
    assert [side.dim_param or side.dim_value for side in output.type.tensor_type.shape.dim] == ["n", 4]
