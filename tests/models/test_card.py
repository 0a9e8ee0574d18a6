"""What a card may say, and what it may not."""

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from models.card import KEPT, Card, Threshold
from models.sources import FileName, Source
from tests.models.cards import digest, fields, made_card

Fields = dict[str, Any]

HASH = digest(b"")
FILE = {"kind": "https", "url": "https://example.org/b"}
LIVE = {"metric": "live", "value": 0.5, "measured_on": "nothing"}
COSINE = {"metric": "cosine", "value": 0.4, "measured_on": "nothing"}
BOX, SMALL_BOX = {"size": 112, "fit": "box"}, {"size": 80, "fit": "box"}
INPUT = {"mean": 127.5, "std": 128, "layout": "nchw", "colours": "rgb"}
FUSION = {"members": ["a", "b"], "weights": [1, 2], "bias": 0, "fitted_on": "photos"}

EMBEDDER: Fields = {}
LIVENESS: Fields = {"task": "liveness", "output": {}, "thresholds": [LIVE]}
DETECTOR: Fields = {"task": "detector", "crops": [], "output": None, "thresholds": []}
OWN: Fields = {"architecture": "onnx_file", "input": INPUT}
OWN_LIVENESS: Fields = {**OWN, **LIVENESS, "output": {"live_class": 0}}
INT8: Fields = {"exports": ["embedder.onnx", "second.onnx"], "int8": "second.onnx"}
FUSED: Fields = {**LIVENESS, "files": [], "exports": [], "fusion": FUSION}


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        made_card(**changes)
    return str(caught.value)


def weight_file(**changes: Any) -> dict[str, Any]:
    return {"name": "b", "sha256": HASH, "sources": [FILE]} | changes


@pytest.mark.parametrize(
    ("base", "shape"), [(EMBEDDER, (8,)), (LIVENESS, ()), (DETECTOR, ()), (OWN, (8,)), (OWN_LIVENESS, ()), (FUSED, ())]
)
def test_a_complete_card_is_valid(base: Fields, shape: tuple[int, ...]) -> None:
    assert made_card(**base).shape == shape


def test_a_network_that_reads_crops_one_at_a_time_answers_for_each() -> None:
    eyes = {**OWN, "task": "eyes", "output": {"open_class": 0}, "thresholds": []}
    assert made_card(**eyes, crops=[BOX] * 2).shape == (2,)


NOT_FINITE = float("nan"), float("inf")
NO_NUMBERS = [1, 2], "one", [1, 2, float("inf")]
OF_FILES = "files, exports: both are required"
OF_CROPS = "crops: a detector must have none"
OF_SIZES = "crops: size and scale must be above 0"
OF_INT8 = "int8: must name an export other than the first"
OF_NAMES = " is already the name of another file of the model"
OF_MEAN = "input.mean\n  Value error, must be one number for all channels, or a list of three"
OF_STD = "input.std\n  Value error, must be one number above 0 for all channels, or a list of three"
OF_EMBEDDER = 'thresholds: a card for the task embedder must have one, with metric = "cosine"'
OF_LIVENESS = 'thresholds: a card for the task liveness must have one, with metric = "live"'


@pytest.mark.parametrize(
    ("base", "changes", "problem"),
    [
        (EMBEDDER, {"task": "recogniser"}, "unknown task recogniser; available: detector, "),
        (EMBEDDER, {"files": []}, OF_FILES),
        (EMBEDDER, {"exports": []}, OF_FILES),
        (EMBEDDER, {"exports": ["../embedder.onnx"]}, "exports.0"),
        *((EMBEDDER, {"exports": ["a.onnx", name]}, name + OF_NAMES) for name in ("weights.bin", *KEPT)),
        *((EMBEDDER, {"files": [weight_file(name=name)]}, "files.0.name") for name in ("a/b.bin", "..", "")),
        *(
            (EMBEDDER, {"files": [weight_file(sha256=digits)]}, "files.0.sha256")
            for digits in (HASH[:-1], HASH.upper(), HASH + "0", "g" * 64)
        ),
        (EMBEDDER, {"crops": []}, OF_CROPS),
        (DETECTOR, {"crops": [BOX]}, OF_CROPS),
        (EMBEDDER, {"crops": [{**BOX, "size": 0}]}, OF_SIZES),
        *((EMBEDDER, {"crops": [{**BOX, "scale": scale}]}, OF_SIZES) for scale in (0, -1)),
        *((EMBEDDER, {"crops": [{**BOX, "scale": number}]}, "crops.0.scale") for number in NOT_FINITE),
        (EMBEDDER, {"output": None}, "size: Field required"),
        (EMBEDDER, {"output": {"size": 0}}, "size: Input should be greater than 0"),
        (EMBEDDER, {"crops": [{**BOX, "side": 112}]}, "unknown field side; available: size, fit, scale"),
        (LIVENESS, {"output": {"size": 8}}, "unknown field size; available: live_class, shift"),
        *((LIVENESS, {"output": {"shift": number}}, "shift: Input should be a finite number") for number in NOT_FINITE),
        (DETECTOR, {"output": {"size": 8}}, "a detector has no output"),
        *((EMBEDDER, {"thresholds": each}, OF_EMBEDDER) for each in ([], [LIVE], [COSINE, LIVE], [COSINE, COSINE])),
        *((LIVENESS, {"thresholds": each}, OF_LIVENESS) for each in ([], [COSINE])),
        (DETECTOR, {"thresholds": [COSINE]}, "thresholds: a card for the task detector must have none"),
        *((EMBEDDER, {"thresholds": [{**COSINE, "value": value}]}, "thresholds") for value in (*NOT_FINITE, -1.1, 1.1)),
        (LIVENESS, {"thresholds": [{**LIVE, "value": 0.4}]}, "the live threshold of a card must be 0.5"),
        *((INT8, {"int8": name}, OF_INT8) for name in ("other.onnx", "embedder.onnx")),
        (INT8, {"crops": [BOX, SMALL_BOX]}, OF_INT8),
        (INT8, DETECTOR, OF_INT8),
        (OWN, {"input": None}, "input: required for"),
        (EMBEDDER, {"input": INPUT}, "input: required for"),
        *((OWN, {"input": {**INPUT, "mean": numbers}}, OF_MEAN) for numbers in (*NO_NUMBERS, float("nan"))),
        *((OWN, {"input": {**INPUT, "std": numbers}}, OF_STD) for numbers in (*NO_NUMBERS, 0)),
        (OWN, {"input": {**INPUT, "colours": "grey", "mean": (1, 2, 3)}}, "a grey input has one channel"),
        (OWN, {"crops": [BOX, SMALL_BOX]}, "one file and crops of one size"),
        (OWN, {"crops": [BOX] * 2}, "reads one crop for the task embedder"),
        (OWN, {"files": [weight_file(), weight_file(name="c")]}, "one file and crops of one size"),
        (OWN, {"exports": ["a.onnx", "b.onnx"]}, "exports: the architecture onnx_file writes one file"),
        (OWN_LIVENESS, {"output": {}}, "output: the architecture onnx_file needs live_class"),
        *((FUSED, {"fusion": {**FUSION, "bias": number}}, "fusion.bias") for number in NOT_FINITE),
        *((FUSED, {"fusion": {**FUSION, "weights": [1, number]}}, "fusion.weights") for number in NOT_FINITE),
        (FUSED, {"fusion": {**FUSION, "weights": [1]}}, "one weight per member"),
        (FUSED, {"fusion": {**FUSION, "members": ["a", "a"]}}, "same member twice"),
        (FUSED, {"fusion": {**FUSION, "members": ["a"], "weights": [1]}}, "fusion.members"),
        (FUSED, {"exports": ["a.onnx"]}, "a fusion cannot have files or exports"),
        (FUSED, {"files": [weight_file()]}, "a fusion cannot have files or exports"),
        (EMBEDDER, {"files": [], "exports": [], "fusion": FUSION}, "the task embedder cannot be fused"),
    ],
)
def test_a_card_that_is_not_valid_is_refused(base: Fields, changes: Fields, problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made_card(**{**base, **changes})
    assert problem in str(caught.value)


def test_an_unknown_task_is_the_only_problem() -> None:
    with pytest.raises(ValidationError) as caught:
        made_card(**{**EMBEDDER, "task": "recogniser"})
    assert [problem["loc"] for problem in caught.value.errors()] == [("task",)]


@given(place=st.integers(0, 5), key=st.text(max_size=6), value=st.none() | st.integers() | st.text(max_size=5))
def test_an_unknown_key_is_refused_in_every_table(place: int, key: str, value: Any) -> None:
    entry = fields()
    [file], [crop], [threshold] = (entry[name] for name in ("files", "crops", "thresholds"))
    [entry, file, file["sources"][0], crop, entry["output"], threshold][place][f"?{key}"] = value
    with pytest.raises(ValidationError):
        Card.model_validate(entry)


@given(st.text(st.sampled_from("a0_.-+/\\:\n\r\0 ~é\u2028"), max_size=8) | st.text(max_size=8))
def test_a_file_name_never_leaves_its_folder(name: str) -> None:
    try:
        TypeAdapter(FileName).validate_python(name)
    except ValidationError:
        return
    assert PurePosixPath(name).name == name
    assert not set(name) & set("/\\:\0\n\r")
    assert name not in (".", "..")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"kind": "ftp", "url": "ftp://nowhere.invalid"}, "kind"),
        ({"kind": "https", "url": "http://nowhere.invalid/b"}, "url"),
        ({"kind": "https", "url": "https://nowhere.invalid/b.zip", "member": "b"}, "must be set together"),
        ({"kind": "https", "url": "https://nowhere.invalid/b.zip", "archive_sha256": HASH}, "must be set together"),
        ({"kind": "npm", "package": "b", "version": "1", "member": "b"}, "archive_sha256"),
        ({"kind": "pypi", "package": "b", "version": "1", "archive": "b.tar.gz", "member": "b"}, "archive_sha256"),
        ({**FILE, "version": "1"}, "version"),
    ],
)
def test_a_source_that_is_not_pinned_or_not_known_is_refused(source: dict[str, str], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TypeAdapter(Source).validate_python(source)


@pytest.mark.parametrize(
    "changes",
    [
        {"crops": [{"size": 160, "fit": "aligned"}]},
        {"crops": [BOX]},
        {"crops": [{"size": 112, "fit": "aligned", "scale": 1.1}]},
        {"preprocessing_version": "2"},
        {"output": {"size": 16}},
        {"files": [weight_file()]},
    ],
)
def test_the_contract_changes_with_what_the_embeddings_depend_on(changes: Fields) -> None:
    assert made_card(**changes).embedding_contract != made_card().embedding_contract


def test_the_contract_does_not_change_with_words_sources_and_precision() -> None:
    moved = [weight_file(name="other.bin", sha256=made_card().files[0].sha256)]
    changed = made_card(name="other", title="Another", licence="none", note="!", files=moved)
    both = made_card(exports=["a.onnx", "b.onnx"], int8="b.onnx")
    assert changed.embedding_contract == both.embedding_contract == made_card().embedding_contract


def test_a_threshold_is_found_by_its_metric() -> None:
    assert made_card().threshold("cosine") == Threshold.model_validate(COSINE)
    with pytest.raises(KeyError, match="made-up has no threshold for live"):
        made_card().threshold("live")
