"""The answers that the ONNX graph and numpy compute from a network's raw outputs, and the readings from them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.catalogue import cards
from models.errors import ModelError
from models.fusion import LIMIT, Fusion
from models.onnx_graph import with_answer
from models.tasks import FACE_TASKS
from models.tasks.liveness import LIVENESS, LivenessOutput
from tests.models.graphs import answers, identity

Floats = NDArray[np.float64]


def softmax(logits: Floats) -> Floats:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def angles(*bins: Floats) -> Floats:
    return np.stack([softmax(each) @ np.arange(-99, 99, 3) for each in bins], axis=1)


CASES: dict[str, tuple[dict[str, Any], list[int], Callable[..., Floats]]] = {
    "embedder": ({"size": 7}, [7], lambda raw: raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)),
    "liveness": ({"live_class": 1}, [3], lambda raw: raw[:, 1] - np.logaddexp(raw[:, 0], raw[:, 2])),
    "pose": ({"first": -99.0, "step": 3.0}, [66, 66, 66], angles),
    "eyes": ({"open_class": 1}, [2], lambda raw: softmax(raw)[:, 1]),
}
CARDS = {entry.task: entry for entry in cards().values()}


@pytest.mark.parametrize("name", FACE_TASKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), faces=st.integers(1, 4), scale=st.sampled_from([0, 0.1, 10, 500]))
def test_the_graph_and_numpy_compute_the_definition(name: str, seed: int, faces: int, scale: float) -> None:
    task, (stated, sizes, definition) = FACE_TASKS[name], CASES[name]
    output = task.output.model_validate(stated)
    model = with_answer(identity(*(f"n, {size}" for size in sizes)), CARDS[name].model_copy(update={"output": output}))
    random = np.random.default_rng(seed)
    raw = [(scale * random.standard_normal((faces, size))).astype(np.float32) for size in sizes]
    expected = definition(*(each.astype(np.float64) for each in raw))
    for found in (*answers(model, *raw), task.answer(output, raw)):
        assert found.shape == (faces, *task.shape(output))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "sizes", "problem"),
    [
        ("liveness", [1], "the liveness task needs one output, the logits of several classes"),
        ("liveness", [3, 3], "the liveness task needs one output, the logits of several classes"),
        ("embedder", [7, 7], "the embedder task needs one output"),
        ("embedder", [6], "output.size is 7, but the network returns 6 numbers"),
        ("pose", [66, 66], "the pose task needs three outputs of the same size"),
        ("pose", [66, 66, 3], "the pose task needs three outputs of the same size"),
        ("eyes", [3], "the eyes task needs one output of size 2"),
        ("eyes", [2, 2], "the eyes task needs one output of size 2"),
    ],
)
def test_a_network_with_other_outputs_is_refused(name: str, sizes: list[int], problem: str) -> None:
    task = FACE_TASKS[name]
    with pytest.raises(ModelError, match=problem):
        task.tail(task.output.model_validate(CASES[name][0]), sizes)


def test_the_live_class_is_a_class_of_the_network() -> None:
    with pytest.raises(ModelError, match="live_class is 2, but the network's classes are 0 to 1"):
        LIVENESS.tail(LivenessOutput(live_class=2), [2])


LOGITS = arrays(np.float32, st.tuples(st.integers(0, 5), st.just(2)), elements=st.floats(-1000, 1000, width=32))
FUSION = Fusion(members=("one", "two"), weights=(0.5, 2), bias=0.5, fitted_on="nothing")


@pytest.mark.parametrize("fusion", [None, FUSION])
@given(logits=LOGITS)
def test_the_reading_is_the_logistic_function_of_the_shifted_logit(
    fusion: Fusion | None, logits: NDArray[np.float32]
) -> None:
    found = LIVENESS.reading(LivenessOutput(shift=0.25), fusion, logits)
    own, clipped = logits[:, 0].astype(np.float64), np.clip(logits, -LIMIT, LIMIT).astype(np.float64)
    logit = clipped @ (0.5, 2) + 0.5 if fusion else own
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1 / (1 + np.exp(np.clip(-0.25 - logit, None, 700))), atol=1e-5)
