"""Building the application: its deployments, and the resources that each reserves."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from deployments.gallery import LANCEDB_LOG
from deployments.replicas import FaceNetworkReplica
from gallery.location import Location
from graphs import app
from graphs.settings import AppArgs
from imaging.decode import Limits
from models.device import Device, Simulation
from models.errors import ModelError
from project.root import ROOT
from tests.fakes import deployment_of, pull, serve_log

MODELS = ("mtcnn", "mediapipe-full-range", "deep-tree", "mobilefacenet")
MIB = 2**20
Build = Callable[..., Any]


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return pull(tmp_path, *MODELS)


@pytest.fixture
def build(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds the application with a stage for each task and `more`; returns the deployment of the ingress.

    The detector mediapipe never takes a GPU. `gpus` is how many the cluster has; with None, asking for them is an
    error.
    """

    def build(more: Mapping[str, Any] = MappingProxyType({}), gpus: int | None = 0, **changed: Any) -> Any:
        monkeypatch.setattr(app, "_cluster_gpus", lambda: float(gpus))  # type: ignore[arg-type]
        stages = {
            "mtcnn": {"model": "mtcnn", "cpus": 0.3, "gpus": 0.2, "options": {"min_face": 30}},
            "mediapipe": {"model": "mediapipe-full-range", "cpus": 1, "gpus": 0},
            "crmnet": {"model": "deep-tree", "engine": "tensorflow", "workers": 3, "cpus": 2.5, "gpus": 0.25},
            "arcface": {"model": "mobilefacenet", "gpus": 1, "gpu_memory_mb": 512},
            **more,
        }
        made = {"stages": stages, "models_dir": models_dir, "ingress_cpus": 0.4, **changed}
        return deployment_of(app.build(AppArgs.model_validate(made)))

    return build


def stage_deployments(ingress: Any) -> list[Any]:
    """The deployment of every stage that the ingress was given."""
    return [deployment_of(stage.stage) for stage in ingress.init_kwargs["stages"].values()]


PLACES = {
    "detector-mtcnn": (0.3, 0.2, 1, 2048),
    "detector-mediapipe": (1, 0, 1, 2048),
    "liveness-crmnet": (2.5, 0.25, 3, 2048),
    "embedder-arcface": (0.2, 1, 1, 512),
}
"""By deployment: CPUs, GPUs, threads and MiB of GPU memory of a replica."""


@pytest.mark.parametrize(
    ("device", "gpus", "required"), [("auto", 0, None), ("cpu", None, None), ("auto", 1, False), ("cuda", None, True)]
)
def test_stages_are_placed_on_the_device_and_the_cluster_is_asked_only_for_auto(
    device: str, gpus: int | None, required: bool | None, build: Build
) -> None:
    placed = stage_deployments(build(gpus=gpus, device=device))
    assert {stage.name for stage in placed} == PLACES.keys()
    for stage in placed:
        cpus, share, threads, mib = PLACES[stage.name]
        share = 0 if required is None else share
        assert stage.ray_actor_options == {"num_cpus": cpus, "num_gpus": share}
        on_gpu = Device("cuda", threads, mib * MIB, bool(required))
        assert stage.init_args[3] == (on_gpu if share else Device("cpu", threads))


def test_simulated_device_takes_shares_of_logical_gpus_and_appears_in_the_names_of_models(build: Build) -> None:
    ingress = build(gpus=1, device="simulated", simulation={"call_ms": 40, "item_ms": 2})
    for stage in stage_deployments(ingress):
        cpus, share, threads, _ = PLACES[stage.name]
        assert stage.ray_actor_options == {"num_cpus": cpus, "num_gpus": share}
        assert stage.init_args[3] == Device("cuda", threads, simulation=Simulation(0.04, 0.002))
    names = [stage.card.name for stage in ingress.init_kwargs["stages"].values()]
    assert names == [f"simulated-{name}" for name in MODELS]


def test_the_ingress_and_each_stage_get_their_settings(build: Build, models_dir: Path) -> None:
    ingress = build(
        limits={"max_image_size": 1, "max_image_pixels": 2, "max_image_dimension": 64, "max_requests": 7},
        addresses={"timeout": 3},
    )
    assert {stage.max_ongoing_requests for stage in stage_deployments(ingress)} == {7}
    assert (ingress.name, ingress.ray_actor_options) == ("ingress", {"num_cpus": 0.4, "num_gpus": 0})
    passed, limits = ingress.init_kwargs, Limits(max_bytes=1, max_pixels=2, max_dimension=64)
    assert (passed["limits"].decode, passed["downloads"].timeout) == (limits, 3)
    assert {role: stage.card.name for role, stage in passed["stages"].items()} == dict(
        zip(("mtcnn", "mediapipe", "crmnet", "arcface"), MODELS, strict=True)
    )
    assert passed["defaults"] == {"detector": "mtcnn", "liveness": "crmnet", "embedder": "arcface"}
    assert {stage.name: (*stage.init_args[:3], *stage.init_args[4:]) for stage in stage_deployments(ingress)} == {
        "detector-mtcnn": ("mtcnn", models_dir, "onnx", limits, {"min_face": 30}),
        "detector-mediapipe": ("mediapipe-full-range", models_dir, "onnx", limits, {}),
        "liveness-crmnet": ("deep-tree", models_dir, "tensorflow"),
        "embedder-arcface": ("mobilefacenet", models_dir, "onnx"),
    }


def test_a_model_that_is_not_pulled_is_named(build: Build) -> None:
    with pytest.raises(ModelError, match="the model arcface-r50 cannot be used because it has not been pulled: run "):
        build({"arcface": {"model": "arcface-r50"}})


def test_an_engine_that_is_not_installed_is_named_before_anything_starts(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.originals.find_spec", lambda package: None)
    with pytest.raises(ModelError, match="deep-tree cannot run in tensorflow"):
        build()


def test_a_superseded_model_is_served_with_one_warning(build: Build) -> None:
    with serve_log() as records:
        build()
    warning = "The model deep-tree of the stage crmnet is superseded by fr-liveness"
    assert [record.getMessage() for record in records] == [warning]


def test_a_fusion_needs_the_exports_of_its_members(build: Build, models_dir: Path) -> None:
    fused = {"crmnet": {"model": "crmnet-duo"}}
    pull(models_dir, "fr-liveness")
    with pytest.raises(ModelError, match="the model minifasnet cannot be used"):
        build(fused)
    pull(models_dir, "minifasnet")
    assert build(fused).init_kwargs["stages"]["crmnet"].card.name == "crmnet-duo"


def test_a_gallery_in_a_folder_is_kept_on_the_head_node(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    # A shell would split this path.
    monkeypatch.setattr("sys.executable", "/a folder/bin/python")
    ingress = build(gallery={"uri": "somewhere", "reader_threads": 3})
    writer, reader = map(deployment_of, ingress.init_kwargs["gallery"])
    assert (writer.name, reader.name) == ("gallery-writer", "gallery-reader")
    for deployment, threads in ((writer, "1"), (reader, "3")):
        options = deployment.ray_actor_options
        assert options["resources"] == {"node:__internal_head__": 0.001}
        variables = {"OMP_NUM_THREADS": threads, "MALLOC_ARENA_MAX": "1", "LANCEDB_LOG": LANCEDB_LOG}
        environment = {"env_vars": variables, "py_executable": "'/a folder/bin/python'"}
        assert options["runtime_env"] == environment
        assert (options["num_cpus"], options["num_gpus"]) == (0.1, 0)
        assert deployment.init_args[0].uri == str(ROOT / "somewhere")


def test_a_gallery_in_an_object_store_is_kept_anywhere(build: Build) -> None:
    asked = {"uri": "s3://bucket/gallery", "storage_options": {"region": "eu-central-1"}, "clean_s": 60, "index_mb": 3}
    writer, reader = map(deployment_of, build(gallery=asked).init_kwargs["gallery"])
    options = writer.ray_actor_options | reader.ray_actor_options
    assert "resources" not in options
    assert "py_executable" not in options["runtime_env"]
    [place, index_rows, exact_mb, optimise_s, clean_s] = writer.init_args
    assert place == Location("s3://bucket/gallery", {"region": "eu-central-1"}, index_mb=3)
    assert (index_rows, exact_mb, optimise_s, clean_s) == (120_000, 256, 20, 60)
    assert reader.init_args == (place, 256, 2)


def test_a_stage_inside_the_ingress_has_no_deployment_and_adds_its_share(build: Build, models_dir: Path) -> None:
    inside = {"model": "mobilefacenet", "place": "ingress", "cpus": 0.5, "gpus": 0.25}
    ingress = build({"arcface": inside, "facenet": inside}, gpus=1)
    assert ingress.ray_actor_options == {"num_cpus": pytest.approx(0.4 + 2 * 0.5), "num_gpus": 0.5}
    stage = ingress.init_kwargs["stages"]["arcface"].stage
    assert stage.func is FaceNetworkReplica
    assert stage.args == ("mobilefacenet", models_dir, "onnx", Device("cuda", 1, 2048 * MIB, required=False))
    assert deployment_of(ingress.init_kwargs["stages"]["crmnet"].stage).name == "liveness-crmnet"
