"""What a card may say, and what it may not."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from models.card import Threshold
from models.sources import Source
from tests.models.cards import digest, made_card

HASH = digest(b"")
INSTALLED = {"kind": "installed", "package": "numpy", "member": "numpy/version.py"}


LIVE = {"metric": "live", "value": 0.5, "measured_on": "nothing"}
COSINE = {"metric": "cosine", "value": 0.4, "measured_on": "nothing"}
LIVENESS: dict[str, Any] = {"task": "liveness", "output": {}, "thresholds": [LIVE]}
DETECTOR: dict[str, Any] = {"task": "detector", "crops": [], "output": None, "thresholds": []}


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        made_card(**changes)
    return str(caught.value)


def weight_file(**changes: Any) -> dict[str, Any]:
    return {"name": "b", "sha256": HASH, "sources": [INSTALLED]} | changes


@pytest.mark.parametrize(
    "changes",
    [
        *({field: None} for field in ("title", "task", "architecture", "framework", "licence", "preprocessing")),
        {"task": "recogniser"},
        {"framework": "caffe"},
        {"files": []},
        *({"files": [weight_file(name=name)]} for name in ("a/b.bin", ".", "..", "")),
        *({"files": [weight_file(sha256=digits)]} for digits in ("", HASH[:-1], HASH.upper(), HASH + "0", "g" * 64)),
        {"exports": []},
        {"exports": ["../embedder.onnx"]},
        {"output": {"size": -1}},
        {"crops": [{"size": 0, "fit": "box"}]},
        {"crops": [{"size": 112, "fit": "box", "scale": -1.0}]},
        {"crops": [{"size": 112, "fit": "round"}]},
        {"thresholds": [{"metric": "euclidean", "value": 1, "measured_on": "nothing"}]},
        {"thresholds": [{"metric": "cosine", "value": 1}]},
        *({"thresholds": [{**COSINE, "value": value}]} for value in (float("nan"), float("inf"), -1.5, 42)),
        {"input": {"mean": 0, "std": 0, "layout": "nchw", "colours": "rgb"}},
        {"input": {"mean": 0, "std": 1, "layout": "chw", "colours": "rgb"}},
        {"output": {"live_class": 1}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_values_that_nobody_knows_are_refused(changes: dict[str, Any]) -> None:
    assert next(iter(changes)) in refusal(**changes)


def test_a_detector_takes_photos_and_everything_else_crops() -> None:
    assert made_card(**DETECTOR).crops == ()
    assert "crops: a detector must have none" in refusal(task="detector", output=None)
    assert "crops: a detector must have none" in refusal(crops=[])


def test_a_card_states_the_output_of_its_task() -> None:
    assert made_card().shape == (8,)
    assert made_card(**LIVENESS).shape == ()
    assert "size" in refusal(output=None)
    assert "size" in refusal(**{**LIVENESS, "output": {"size": 8}})
    assert "a detector has no output" in refusal(**{**DETECTOR, "output": {"size": 8}})


@pytest.mark.parametrize(
    ("card", "stated", "thresholds"),
    [
        ({}, 'must have one, with metric = "cosine"', ([], [LIVE], [COSINE, LIVE], [COSINE, COSINE])),
        (LIVENESS, 'must have one, with metric = "live"', ([], [COSINE], [LIVE, LIVE])),
        (DETECTOR, "must have none", ([COSINE],)),
    ],
    ids=["embedder", "liveness", "detector"],
)
def test_a_card_states_the_threshold_of_its_task(
    card: dict[str, Any], stated: str, thresholds: tuple[list[Any], ...]
) -> None:
    for each in thresholds:
        refused = refusal(**{**card, "thresholds": each})
        assert f"thresholds: a card for the task {card.get('task', 'embedder')} {stated}" in refused
    lower = {**LIVENESS, "thresholds": [{**LIVE, "value": 0.4}]}
    assert "the live threshold of a card must be 0.5" in refusal(**lower)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_every_number_of_a_card_is_finite(number: float) -> None:
    assert "shift" in refusal(**{**LIVENESS, "output": {"shift": number}})
    assert "crops" in refusal(crops=[{"size": 112, "fit": "box", "scale": number}])
    assert "input.mean" in refusal(architecture="onnx_file", input={**INPUT, "mean": number})
    assert "fusion.bias" in refusal(**{**FUSED, "fusion": {**FUSION, "bias": number}})
    assert "fusion.weights" in refusal(**{**FUSED, "fusion": {**FUSION, "weights": [1, number]}})


@pytest.mark.parametrize(
    "changes",
    [
        {"int8": "other.onnx"},
        {"int8": "embedder.onnx"},
        {"crops": [{"size": 112, "fit": "box"}, {"size": 80, "fit": "box"}]},
        DETECTOR,
    ],
    ids=["no export", "the first export", "two crops", "a detector"],
)
def test_integers_are_a_later_export_of_a_network_with_one_crop(changes: dict[str, Any]) -> None:
    named = {"exports": ["embedder.onnx", "second.onnx"], "int8": "second.onnx"}
    assert made_card(**named).int8 == "second.onnx"
    assert "int8: must name an export other than the first" in refusal(**{**named, **changes})


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"kind": "ftp", "url": "ftp://nowhere.invalid"}, "kind"),
        ({"kind": "https", "url": "http://nowhere.invalid/b"}, "url"),
        ({"kind": "https", "url": "https://nowhere.invalid/b.zip", "member": "b"}, "archive's sha256"),
        ({"kind": "https", "url": "https://nowhere.invalid/b.zip", "archive_sha256": HASH}, "archive's sha256"),
        ({"kind": "npm", "package": "b", "version": "1", "member": "b"}, "archive_sha256"),
        ({"kind": "pypi", "package": "b", "version": "1", "archive": "b.tar.gz", "member": "b"}, "archive_sha256"),
        ({**INSTALLED, "version": "1"}, "version"),
    ],
)
def test_a_source_that_is_not_pinned_or_not_known_is_refused(source: dict[str, str], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TypeAdapter(Source).validate_python(source)


@pytest.mark.parametrize(
    "changes",
    [
        {"crops": [{"size": 160, "fit": "aligned"}]},
        {"crops": [{"size": 112, "fit": "box"}]},
        {"crops": [{"size": 112, "fit": "aligned", "scale": 1.1}]},
        {"preprocessing": "2"},
        {"output": {"size": 16}},
        {"files": [weight_file()]},
    ],
    ids=["size", "fit", "scale", "preprocessing", "output size", "weights"],
)
def test_the_contract_changes_with_what_the_embeddings_depend_on(changes: dict[str, Any]) -> None:
    contract = made_card().embedding_contract
    assert len(contract) == 16
    assert int(contract, 16) >= 0
    assert made_card(**changes).embedding_contract != contract


def test_the_contract_does_not_change_with_words_sources_and_precision() -> None:
    moved = [weight_file(name="other.bin", sha256=made_card().files[0].sha256)]
    changed = made_card(name="other", title="Another", licence="none", note="!", files=moved)
    both = made_card(exports=["a.onnx", "b.onnx"], int8="b.onnx")
    assert changed.embedding_contract == both.embedding_contract == made_card().embedding_contract


def test_a_threshold_is_found_by_its_metric() -> None:
    assert made_card().threshold("cosine") == Threshold.model_validate(COSINE)
    with pytest.raises(KeyError, match="made-up has no threshold for live"):
        made_card().threshold("live")


INPUT = {"mean": 127.5, "std": 128, "layout": "nchw", "colours": "rgb"}
FUSION = {"members": ["a", "b"], "weights": [1, 2], "bias": 0, "fitted_on": "photos"}
FUSED = {**LIVENESS, "files": [], "exports": [], "fusion": FUSION}


def test_an_onnx_file_describes_its_input_and_a_liveness_network_its_live_class() -> None:
    embedder = {"architecture": "onnx_file", "input": INPUT}
    liveness = {**embedder, **LIVENESS, "output": {"live_class": 0}}
    assert made_card(**embedder).input
    assert made_card(**liveness).input
    assert "input: required for" in refusal(**{**embedder, "input": None})
    assert "input: required for" in refusal(input=INPUT)
    assert "output: the architecture onnx_file needs live_class" in refusal(**{**liveness, "output": {}})
    sizes = [{"size": size, "fit": "box"} for size in (112, 80)]
    assert "one file and crops of one size" in refusal(**embedder, crops=sizes)
    assert made_card(**embedder, crops=sizes[:1] * 2).shape == (2, 8)
    grey = {**INPUT, "colours": "grey", "mean": (1, 2, 3)}
    assert "a grey input has one channel" in refusal(**{**embedder, "input": grey})


def test_a_fusion_has_members_with_weights_instead_of_files() -> None:
    assert made_card(**FUSED).fusion
    assert "one weight per member" in refusal(**{**FUSED, "fusion": {**FUSION, "weights": [1]}})
    assert "same member twice" in refusal(**{**FUSED, "fusion": {**FUSION, "members": ["a", "a"]}})
    assert "members" in refusal(**{**FUSED, "fusion": {**FUSION, "members": ["a"], "weights": [1]}})
    assert "a fusion cannot have files or exports" in refusal(**{**FUSED, "exports": ["a.onnx"]})
    assert "the task embedder cannot be fused" in refusal(files=[], exports=[], fusion=FUSION)


@pytest.mark.parametrize("name", ["weights.bin", "manifest.json", "export.log"])
def test_an_export_has_a_name_of_its_own(name: str) -> None:
    assert f"needs a name of its own, unlike {name}" in refusal(exports=["embedder.onnx", name])


@pytest.mark.parametrize("numbers", [[1, 2], "one", [1, 2, float("inf")]])
def test_mean_and_deviation_are_one_number_or_three(numbers: object) -> None:
    for field, above in (("mean", ""), ("std", " above 0")):
        answer = refusal(architecture="onnx_file", input={**INPUT, field: numbers})
        assert f"input.{field}\n  Value error, must be one number{above} for all channels, or a list of three" in answer


def test_an_unknown_field_is_refused_with_those_of_its_table() -> None:
    answer = refusal(**{**LIVENESS, "output": {"live_index": 1}})
    assert "live_index: unknown, the fields here are live_class, shift" in answer
    assert "side: unknown, the fields here are size, fit, scale" in refusal(crops=[{"side": 112, "fit": "box"}])
