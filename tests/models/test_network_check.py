"""Networks that do not fit their cards are refused when they are exported."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from models.architectures import onnx_file
from models.card import Card
from models.device import Device
from models.errors import ModelError
from models.export import export
from models.onnx_session import OnnxNetwork
from models.originals.onnx_file import original
from models.store import Store
from models.trial import check_answer
from tests.models.cards import made_card
from tests.models.graphs import written

LIVE = {"metric": "live", "value": 0.5, "measured_on": "nothing"}
LIVENESS: dict[str, Any] = {"task": "liveness", "output": {"live_class": 0}, "thresholds": [LIVE]}
MEANS = "means = GlobalAveragePool (x) rows = Flatten (means)"
FITTING = f"core (float[n, 3, 4, 4] x) => (float[n, 3] y) {{ {MEANS} y = Identity (rows) }}"


def own_card(colours: str = "rgb", layout: str = "nchw", side: int = 4, **changes: Any) -> Card:
    """The card of an embedder of three numbers from crops of four pixels, with `changes`."""
    stated = {"mean": 0.0, "std": 255.0, "layout": layout, "colours": colours}
    table = {"architecture": "onnx_file", "input": stated, "output": {"size": 3}}
    return made_card(**{**table, "crops": [{"size": side, "fit": "box"}], **changes})


def exported(folder: Path, card: Card, graph: str, opset: int = 18) -> OnnxNetwork:
    onnx.save(written(graph, opset), folder / card.files[0].name)
    onnx_file.export(card, folder)
    return OnnxNetwork(folder / card.exports[0], Device())


PROBABILITIES = "core (float[n, 3, 4, 4] x) => (float[n, 3] y) {{ {} shares = {} (rows) y = Identity (shares) }}"


@pytest.mark.parametrize(
    ("changes", "graph", "problem"),
    [
        ({"side": 8}, FITTING, "the size of the card's crops is 8, but the network's input is (free, 3, 4, 4)"),
        ({"layout": "nhwc"}, FITTING, "the card's input.layout is nhwc, but the network's input is (free, 3, 4, 4)"),
        (
            {"colours": "grey"},
            FITTING,
            "input.colours is grey, 1 channel, but the network's input (free, 3, 4, 4) has 3",
        ),
        ({}, "core (float[n, 3] x, float[n, 3] z) => (float[n, 3] y) { y = Add (x, z) }", "has 2 inputs"),
        ({}, "core (uint8[n, 3, 4, 4] x) => (uint8[n, 3, 4, 4] y) { y = Identity (x) }", "input is UINT8 (free, 3, 4"),
        ({}, "core (float[n, 3] x) => (float[n, 3] y) { y = Identity (x) }", "input is FLOAT (free, 3); it must be"),
        (
            {},
            "core (float[n, 3, 4, 4] x) => (float[n, 3, 1, 1] y) { y = GlobalAveragePool (x) }",
            "output 0 of the network is float32 (1, 3, 1, 1); it must be float32 (1, length)",
        ),
        ({}, FITTING.replace("Identity", "Unheard"), "ONNX Runtime cannot open"),
        (
            {"side": 8},
            "core (float[n, 3, h, w] x) => (float[n, d] y) <int64[2] s = {1, 48}> { y = Reshape (x, s) }",
            "the network does not run on an input of (1, 3, 8, 8)",
        ),
        (
            LIVENESS,
            "core (float[n, 3, 4, 4] x) => (float[n, 3] y) { y = Identity (z) z = Identity (y) }",
            "ONNX Runtime cannot open",
        ),
        (LIVENESS, PROBABILITIES.format(MEANS, "Softmax"), "output y has gone through a Softmax"),
        (LIVENESS, PROBABILITIES.format(MEANS, "Sigmoid"), "output y has gone through a Sigmoid"),
    ],
)
def test_a_network_that_does_not_fit_its_card_or_cannot_be_served_is_refused(
    tmp_path: Path, changes: dict[str, Any], graph: str, problem: str
) -> None:
    with pytest.raises(ModelError) as caught:
        exported(tmp_path, own_card(**changes), graph)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_onnx_or_too_new_is_refused(tmp_path: Path) -> None:
    card = own_card()
    with pytest.raises(ModelError, match=r"weights\.bin cannot be converted to operator set 18"):
        exported(tmp_path, card, FITTING.replace("Identity", "Gelu"), opset=20)
    (tmp_path / card.files[0].name).write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"weights\.bin cannot be read as an ONNX file"):
        onnx_file.export(card, tmp_path)
    (tmp_path / card.files[0].name).write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be read as an ONNX file: it contains no network"):
        onnx_file.export(card, tmp_path)


def test_weights_in_a_second_file_are_refused_with_the_remedy(tmp_path: Path) -> None:
    card, path = own_card(), tmp_path / "weights.bin"
    graph = FITTING.replace("Identity (rows)", "MatMul (rows, w)")
    model = written(graph, 18, w=np.eye(3, dtype=np.float32))
    onnx.save(model, path, save_as_external_data=True, location="weights.data", size_threshold=0)
    with pytest.raises(ModelError, match=r"weights\.bin keeps its weights in a second file: save it as one file with"):
        onnx_file.export(card, tmp_path)


@pytest.mark.parametrize(("taken", "returned"), [("1, 3, 4, 4", "1, 3"), ("b, c, h, w", "b, d")])
@pytest.mark.parametrize("opset", [9, 18, 22])
def test_a_network_of_free_or_fixed_dimensions_answers_like_its_file(
    tmp_path: Path, taken: str, returned: str, opset: int
) -> None:
    card, graph = own_card(), FITTING.replace("n, 3, 4, 4", taken).replace("n, 3]", f"{returned}]")
    network = exported(tmp_path, card, graph, opset)
    crops = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    np.testing.assert_allclose(network(crops)[0], original(card, tmp_path, Device())(crops), atol=1e-6)
    check_answer(card, lambda crops: network(crops)[0])


def test_the_export_of_a_file_of_the_oldest_form_answers_like_it(tmp_path: Path) -> None:
    """Its weights are among the inputs."""
    card = own_card()
    model = onnx.parser.parse_model(
        f"""<ir_version: 3, opset_import: ["" : 7]>
        core (float[1, 3, 4, 4] x, float[1, 3] w) => (float[1, 3] y) <float[1, 3] w = {{1, 2, 3}}> {{
            {MEANS} y = Mul (rows, w)
        }}"""
    )
    onnx.save(model, tmp_path / card.files[0].name)
    onnx_file.export(card, tmp_path)
    crops = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    [answers] = OnnxNetwork(tmp_path / card.exports[0], Device())(crops)
    means = (crops / 255).mean((1, 2)) * [1, 2, 3]
    np.testing.assert_allclose(answers, means / np.linalg.norm(means, axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (np.zeros((2, 4), np.float32), r"have the shape \(2, 4\); its card requires \(2, 3\)"),
        (np.full((2, 3), np.nan, np.float32), "numbers that are not finite"),
    ],
    ids=["shape", "not finite"],
)
def test_answers_that_do_not_fit_the_card_are_refused(answers: Any, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        check_answer(own_card(), lambda _: answers)


def test_a_network_that_does_not_fit_its_card_is_named_and_leaves_only_its_weights(tmp_path: Path) -> None:
    card, store = own_card(output={"size": 4}), Store(tmp_path)
    store.folder(card).mkdir()
    onnx.save(written(FITTING), store.folder(card) / "weights.bin")
    problem = "the card's output.size is 4, but the network returns 3 numbers"
    with pytest.raises(ModelError, match=f"^the model made-up cannot be exported: {problem}$"):
        export(card, store)
    assert [path.name for path in store.root.rglob("*")] == ["made-up", "weights.bin"]
