"""The settings of every room as the application composes them: where a value comes from, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from access.settings import AccessArgs
from api.settings import DownloadArgs, LimitArgs
from deployments.settings import StageArgs
from gallery.settings import GalleryArgs
from graphs.flow_settings import FlowSettings
from graphs.settings import AppArgs
from project.root import ROOT

ARGS: dict[str, Any] = {
    "stages": {
        "mtcnn": {"model": "mtcnn"},
        "centerface": {"model": "centerface"},
        "crmnet": {"model": "deep-tree"},
        "arcface": {"model": "mobilefacenet"},
    }
}


@pytest.mark.parametrize(
    ("settings", "variable", "name"),
    [
        (FlowSettings, "MIN_SIDE", "min_side"),
        (LimitArgs, "MAX_REQUESTS", "max_requests"),
        (DownloadArgs, "FETCH_MAX_REDIRECTS", "max_redirects"),
        (AccessArgs, "RATE_BURST", "rate_burst"),
        (GalleryArgs, "GALLERY_INDEX_MB", "index_mb"),
    ],
)
def test_the_file_overrides_the_variable_and_the_variable_the_default(
    settings: type[BaseModel], variable: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "2")
    assert getattr(settings(), name) == 2
    assert getattr(settings(**{name: 1}), name) == 1
    monkeypatch.setenv(variable, "-1")
    with pytest.raises(ValidationError) as caught:
        settings()
    assert [problem["loc"] for problem in caught.value.errors()] == [(name,)]


def test_variables_reach_the_settings_inside_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMAGE_SIZE", "1000")
    monkeypatch.setenv("MAX_IMAGE_DIMENSION", "512")
    limits = AppArgs(**ARGS, limits={"max_image_size": 2000}).limits
    assert (limits.max_image_size, limits.max_image_dimension) == (2000, 512)


@pytest.mark.parametrize(
    "settings", [FlowSettings, LimitArgs, DownloadArgs, AccessArgs, GalleryArgs, StageArgs, AppArgs]
)
def test_unknown_names_and_changes_are_refused(settings: type[BaseModel]) -> None:
    needed = {AppArgs: ARGS, StageArgs: {"model": "mtcnn"}}.get(settings, {})
    with pytest.raises(ValidationError, match=r"unknown\n  Extra inputs"):
        settings(**needed, unknown=0)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings(**needed), next(iter(settings.model_fields)), None)


def test_a_rate_is_finite() -> None:
    with pytest.raises(ValidationError, match="rate_limit"):
        AccessArgs(rate_limit=float("inf"))


def test_stage_inside_the_ingress_needs_onnx() -> None:
    assert StageArgs(model="mtcnn", place="ingress", engine="onnx-float32").place == "ingress"
    with pytest.raises(ValidationError, match="a stage inside the ingress cannot have the engine"):
        StageArgs(model="mtcnn", place="ingress", engine="torch")


def settings_error(**changed: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        AppArgs(**{**ARGS, **changed})
    [problem] = caught.value.errors()
    return problem["msg"]


@pytest.mark.parametrize("table", ["detectors", "liveness", "embedders"])
def test_a_table_of_an_earlier_configuration_is_refused_with_its_replacement(table: str) -> None:
    assert f"{table}: put all stages into one table, `stages: {{ROLE: {{model: CARD" in settings_error(**{table: {}})


def test_the_first_stage_for_a_task_is_its_default_unless_another_is_named() -> None:
    first = {"detector": "mtcnn", "liveness": "crmnet", "embedder": "arcface"}
    assert AppArgs(**ARGS).default_roles == first
    named = AppArgs(**ARGS, defaults={"detector": "centerface"})
    assert named.default_roles == {**first, "detector": "centerface"}


def test_only_aws_clients_need_a_default_embedder_whose_similarities_are_measured() -> None:
    pytest.importorskip("cryptography")
    pytest.importorskip("botocore")
    stages = {**ARGS["stages"], "large": {"model": "arcface-r50"}}
    aws: dict[str, Any] = {"stages": stages, "access": {"rekognition_key_file": "operator.key"}}
    default = {"defaults": {"embedder": "large"}}
    assert AppArgs(stages=stages, **default).default_roles["embedder"] == "large"
    assert AppArgs(**aws).default_roles["embedder"] == "arcface"
    assert "`facegraph models scale arcface-r50 --photos FOLDER`" in settings_error(**aws, **default)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"defaults": {"detector": "arcface"}}, "unknown detector arcface; available: mtcnn, centerface"),
        ({"defaults": {"pose": "mtcnn"}}, "unknown pose mtcnn; available: detector, embedder, liveness"),
        ({"stages": {"arcface": {"model": "mobilefacenet"}}}, "no detector is configured"),
        (
            {"stages": {**ARGS["stages"], "a": {"model": "facenet", "options": {"x": 1}}}},
            "stages.a.options: only a det",
        ),
        ({"stages": {**ARGS["stages"], "a#b": {"model": "facenet"}}}, "the role 'a#b' must have only ASCII letters"),
        (
            {"stages": {**ARGS["stages"], "a": {"model": "fr-feature", "engine": "torch"}}},
            "stages.a.engine: fr-feature does not run in torch",
        ),
    ],
)
def test_stages_and_defaults_fit_their_cards(changed: dict[str, Any], problem: str) -> None:
    assert problem in settings_error(**changed)


def test_threshold_of_an_unknown_role_is_named() -> None:
    settings = FlowSettings(thresholds={"arcface": 0.5, "arcfase": 0.4})
    with pytest.raises(ValueError, match=r"thresholds: unknown embedder arcfase; available: arcface, facenet$"):
        settings.checked_for({"embedder": ["arcface", "facenet"]})
    assert settings.checked_for({"embedder": ["arcface", "arcfase"]}) is settings


@pytest.mark.parametrize("task", ["pose", "eyes"])
def test_a_gate_that_requires_an_attribute_needs_a_stage_for_it(task: str) -> None:
    settings = FlowSettings.model_validate({f"enrol_{task}": "require"})
    with pytest.raises(ValueError, match=f"enrol_{task}: require needs a stage for the task {task}"):
        settings.checked_for({"embedder": ["arcface"]})
    assert settings.checked_for({task: ["any"]}) is settings


def test_error_does_not_quote_a_value() -> None:
    with pytest.raises(ValidationError, match="storage_options") as caught:
        AppArgs(**ARGS, gallery={"storage_options": "s3cret"})
    assert "s3cret" not in str(caught.value) + repr(caught.value)


def test_folder_of_models_comes_from_the_file_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_STORE", raising=False)
    assert AppArgs(**ARGS).models_dir == ROOT / "data/models"
    monkeypatch.setenv("MODEL_STORE", "data/other")
    assert AppArgs(**ARGS).models_dir == ROOT / "data/other"
    assert AppArgs(**ARGS, models_dir="data/third").models_dir == ROOT / "data/third"
    assert AppArgs(**ARGS, models_dir="/srv/models").models_dir == Path("/srv/models")


def test_files_are_relative_to_the_project_and_the_log_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command `facegraph keys` also uses the default if the variable is empty.
    monkeypatch.setenv("KEYS_FILE", "")
    monkeypatch.delenv("AUDIT_LOG", raising=False)
    args = AccessArgs()
    assert (args.keys_file, args.audit_log) == (ROOT / "data/keys.json", str(ROOT / "data/audit.jsonl"))
    assert AccessArgs(keys_file=Path("other/keys.json")).keys_file == ROOT / "other/keys.json"
    assert [AccessArgs(audit_log=text).audit_log for text in ("/var/log/a", "")] == ["/var/log/a", ""]


def test_only_the_rekognition_api_needs_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.settings.find_spec", lambda package: None)
    assert AccessArgs().rekognition_key_file == ""
    with pytest.raises(ValidationError, match=r"a package is not installed \(botocore, cryptography\): run "):
        AccessArgs(rekognition_key_file="operator.key")
