"""Each task's step from raw outputs to the answer: the ONNX graph computes what numpy does."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.onnx_graph import OPSET
from models.tasks import FACE_TASKS
from models.tasks.eyes import EyesOutput
from models.tasks.pose import PoseOutput

CASES: dict[str, tuple[dict[str, Any], list[int]]] = {
    "embedder": ({"size": 7}, [7]),
    "liveness": ({"live_class": 1}, [3]),
    "pose": ({"first": -99.0, "step": 3.0}, [66, 66, 66]),
    "eyes": ({"open_class": 1}, [2]),
}


@pytest.mark.parametrize("name", FACE_TASKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), faces=st.integers(1, 4), scale=st.sampled_from([0.1, 10, 500]))
def test_the_graph_computes_what_numpy_does(name: str, seed: int, faces: int, scale: float) -> None:
    task, (stated, sizes) = FACE_TASKS[name], CASES[name]
    output = task.output.model_validate(stated)
    text = f'<ir_version: 8, opset_import: ["" : {OPSET}]>\n{task.tail(output, sizes)}'
    session = onnxruntime.InferenceSession(
        onnx.parser.parse_model(text).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    random = np.random.default_rng(seed)
    raw = [(scale * random.standard_normal((faces, size))).astype(np.float32) for size in sizes]
    names = [entry.name for entry in session.get_inputs()]
    [computed] = session.run(None, dict(zip(names, raw, strict=True)))
    expected = task.answer(output, raw)
    assert computed.shape == expected.shape == (faces, *task.shape(output))
    np.testing.assert_allclose(computed, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "sizes"), [("pose", [66, 66]), ("pose", [66, 66, 3]), ("eyes", [3]), ("eyes", [2, 2])]
)
def test_a_network_with_other_outputs_is_refused(name: str, sizes: list[int]) -> None:
    task = FACE_TASKS[name]
    with pytest.raises(ModelError, match=f"the task {name} needs"):
        task.tail(task.output.model_validate(CASES[name][0]), sizes)


def test_an_angle_is_the_bins_that_the_network_is_sure_of() -> None:
    bins = np.full((1, 66), -50, np.float32)
    bins[0, 40] = 50
    angles = FACE_TASKS["pose"].answer(PoseOutput(first=-99, step=3), [bins, bins, bins])
    np.testing.assert_allclose(angles, [[21, 21, 21]], atol=1e-4)


def test_the_open_class_decides() -> None:
    eye = np.array([[0, 4]], np.float32)
    answers = [FACE_TASKS["eyes"].answer(EyesOutput(open_class=place), [eye])[0] for place in (0, 1)]
    assert answers == pytest.approx([0.018, 0.982], abs=1e-3)
