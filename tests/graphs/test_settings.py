"""The settings: what is refused, and where a value comes from."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from graphs.settings import ROOT, AppArgs, DetectorArgs, LimitArgs, Policy, StageArgs
from imaging.decode import Limits

ARGS: dict[str, Any] = {
    "detectors": {"mtcnn": {"model": "mtcnn"}},
    "liveness": {"crmnet": {"model": "deep-tree"}},
    "embedders": {"arcface": {"model": "mobilefacenet"}},
}

VARIABLES = [
    (Policy, "similarity_threshold", 0.6, 0.25, 0.75),
    (LimitArgs, "max_image_size", 10485760, 1000, 2000),
    (LimitArgs, "max_image_dimension", 1024, 512, 2048),
    (LimitArgs, "request_timeout", 30, 5, 60),
]
"""Every variable of the contract: its class, its name, its default, and two other values."""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in (LimitArgs, Policy):
        for name in settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (AppArgs, ARGS),
        (StageArgs, {"model": "mtcnn"}),
        (DetectorArgs, {"model": "mtcnn", "options": {"min_face": 40}}),
        (Policy, {}),
        (LimitArgs, {}),
    ],
)
def test_an_unknown_key_is_refused(settings: type[BaseModel], values: dict[str, Any]) -> None:
    settings(**values)
    with pytest.raises(ValidationError) as caught:
        settings(**values, treshold=1)
    assert [(problem["type"], problem["loc"]) for problem in caught.value.errors()] == [
        ("extra_forbidden", ("treshold",))
    ]


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"detectors": {"mtcnn": {"model": "mtcnn", "cpu": 1}}}, ("detectors", "mtcnn", "cpu")),
        ({"liveness": {"crmnet": {"model": "deep-tree", "options": {}}}}, ("liveness", "crmnet", "options")),
        ({"limits": {"max_image_bytes": 1}}, ("limits", "max_image_bytes")),
    ],
)
def test_an_unknown_key_further_in_is_refused_by_place(changed: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        AppArgs(**{**ARGS, **changed})
    [problem] = caught.value.errors()
    assert (problem["type"], problem["loc"]) == ("extra_forbidden", place)


@pytest.mark.parametrize(("settings", "name", "default", "file", "variable"), VARIABLES)
def test_the_file_comes_before_the_variable_and_the_variable_before_the_default(
    settings: type[BaseModel], name: str, default: float, file: float, variable: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert getattr(settings(), name) == default
    assert getattr(settings(**{name: file}), name) == file
    monkeypatch.setenv(name.upper(), str(variable))
    assert getattr(settings(), name) == variable
    assert getattr(settings(**{name: file}), name) == file


def test_variables_reach_the_limits_inside_the_args(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMAGE_SIZE", "1000")
    monkeypatch.setenv("MAX_IMAGE_DIMENSION", "512")
    assert AppArgs(**ARGS).limits.max_image_size == 1000
    limits = AppArgs(**{**ARGS, "limits": {"max_image_size": 2000}}).limits
    assert (limits.max_image_size, limits.max_image_dimension) == (2000, 512)


@pytest.mark.parametrize(("settings", "name", "default", "file", "variable"), VARIABLES)
@pytest.mark.parametrize("bad", ["", "many", "-1", "nan"])
def test_a_variable_of_no_use_is_refused_by_name(
    settings: type[BaseModel],
    name: str,
    default: float,
    file: float,
    variable: float,
    bad: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name.upper(), bad)
    with pytest.raises(ValidationError) as caught:
        settings()
    assert [problem["loc"] for problem in caught.value.errors()] == [(name,)]
    assert getattr(settings(**{name: file}), name) == file


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (Policy, {"similarity_threshold": 1.1}),
        (Policy, {"liveness_threshold": -0.1}),
        (Policy, {"liveness_policy": "ignore"}),
        (Policy, {"min_side": 0}),
        (Policy, {"min_brightness": -1}),
        (Policy, {"max_brightness": 256}),
        (Policy, {"min_contrast": 256}),
        (LimitArgs, {"max_image_size": 0}),
        (LimitArgs, {"max_image_pixels": 0}),
        (LimitArgs, {"max_image_dimension": 63}),
        (LimitArgs, {"request_timeout": 0}),
        (StageArgs, {"model": "mtcnn", "engine": "caffe"}),
        (StageArgs, {"model": "mtcnn", "cpus": 0}),
        (StageArgs, {"model": "mtcnn", "gpus": -0.1}),
        (StageArgs, {"model": "mtcnn", "gpus": 1.5}),
        (StageArgs, {"model": "mtcnn", "gpu_memory_mb": 0}),
        (StageArgs, {}),
        (AppArgs, {**ARGS, "device": "tpu"}),
        (AppArgs, {**ARGS, "ingress_cpus": 0}),
    ],
)
def test_a_bad_value_is_refused(settings: type[BaseModel], values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**values)
    assert len(caught.value.errors()) == 1


@pytest.mark.parametrize(("kind", "role"), [("detectors", "mtcnn"), ("liveness", "crmnet"), ("embedders", "arcface")])
def test_a_missing_role_of_match_is_named(kind: str, role: str) -> None:
    with pytest.raises(ValidationError, match=f"/match needs a stage called {role} here") as caught:
        AppArgs(**{**ARGS, kind: {"another": {"model": "mtcnn"}}})
    assert [problem["loc"] for problem in caught.value.errors()] == [(kind,)]


@pytest.mark.parametrize("settings", [Policy(), LimitArgs(), StageArgs(model="mtcnn"), AppArgs(**ARGS)])
def test_settings_do_not_change(settings: BaseModel) -> None:
    name = next(iter(type(settings).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, name, getattr(settings, name))


def test_a_relative_folder_of_models_is_below_the_project() -> None:
    assert AppArgs(**ARGS, models_dir="data/other").models_dir == ROOT / "data" / "other"
    assert AppArgs(**ARGS, models_dir="/srv/models").models_dir == Path("/srv/models")
    assert (ROOT / "pyproject.toml").is_file()


def test_the_decode_gate_gets_these_limits() -> None:
    limits = LimitArgs(max_image_size=1, max_image_pixels=2, max_image_dimension=64)
    assert limits.decode == Limits(max_bytes=1, max_pixels=2, max_dimension=64)


def test_two_photos_in_broken_lines_of_base64_fit_into_a_body() -> None:
    size = 1_000_000
    body = json.dumps(dict.fromkeys(["image1", "image2"], base64.encodebytes(bytes(size)).decode()))
    assert len(body) < LimitArgs(max_image_size=size).max_body
