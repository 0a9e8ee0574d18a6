"""Building the application: which deployments there are, and what each of them owns of the machine."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from ray.serve import Application

from deployments.face_network import FaceNetworkReplica
from graphs import app
from graphs.settings import AppArgs
from imaging.decode import Limits
from models.device import Device
from models.errors import ModelError
from project.root import ROOT
from tests.fakes import deployment_of, pull, serve_log

MODELS = ("mtcnn", "mediapipe-full-range", "deep-tree", "mobilefacenet")
MIB = 2**20


def arguments(models_dir: Path, more: Mapping[str, Any] = MappingProxyType({}), **changed: Any) -> AppArgs:
    """Arguments with a stage for each task and `more`, of which the detector mediapipe never takes a GPU."""
    stages = {
        "mtcnn": {"model": "mtcnn", "cpus": 0.3, "gpus": 0.2, "options": {"min_face": 30}},
        "mediapipe": {"model": "mediapipe-full-range", "cpus": 1, "gpus": 0},
        "crmnet": {"model": "deep-tree", "engine": "tensorflow", "workers": 3, "cpus": 2.5, "gpus": 0.25},
        "arcface": {"model": "mobilefacenet", "gpus": 1, "gpu_memory_mb": 512},
        **more,
    }
    return AppArgs.model_validate({"stages": stages, "models_dir": models_dir, "ingress_cpus": 0.4, **changed})


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return pull(tmp_path, *MODELS)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets how many GPUs the cluster has."""
    return lambda gpus: monkeypatch.setattr(app, "_cluster_gpus", lambda: float(gpus))


def stage_deployments(built: Application) -> list[Any]:
    """The deployment of every stage that the ingress was given."""
    return [deployment_of(stage.stage) for stage in deployment_of(built).init_kwargs["stages"].values()]


def shares(built: Application) -> dict[str, dict[str, float]]:
    """What a replica of each stage reserves."""
    return {stage.name: stage.ray_actor_options for stage in stage_deployments(built)}


def devices(built: Application) -> dict[str, Device]:
    """What a replica of each stage runs its network on."""
    return {stage.name: stage.init_args[3] for stage in stage_deployments(built)}


ON_CPUS = {
    "detector-mtcnn": {"num_cpus": 0.3, "num_gpus": 0},
    "detector-mediapipe": {"num_cpus": 1, "num_gpus": 0},
    "liveness-crmnet": {"num_cpus": 2.5, "num_gpus": 0},
    "embedder-arcface": {"num_cpus": 0.2, "num_gpus": 0},
}
ON_GPUS = {
    "detector-mtcnn": {"num_cpus": 0.3, "num_gpus": 0.2},
    "detector-mediapipe": {"num_cpus": 1, "num_gpus": 0},
    "liveness-crmnet": {"num_cpus": 2.5, "num_gpus": 0.25},
    "embedder-arcface": {"num_cpus": 0.2, "num_gpus": 1},
}


@pytest.mark.parametrize(("device", "gpus"), [("auto", 0), ("cpu", 0), ("cpu", 4)])
def test_stages_are_placed_on_cpus(device: str, gpus: int, models_dir: Path, cluster: Any) -> None:
    cluster(gpus)
    built = app.build(arguments(models_dir, device=device))
    assert shares(built) == ON_CPUS
    assert devices(built) == {
        "detector-mtcnn": Device("cpu", threads=1),
        "detector-mediapipe": Device("cpu", threads=1),
        "liveness-crmnet": Device("cpu", threads=3),
        "embedder-arcface": Device("cpu", threads=1),
    }


@pytest.mark.parametrize(("device", "gpus", "required"), [("auto", 1, False), ("cuda", 1, True), ("cuda", 0, True)])
def test_stages_are_placed_on_gpus(device: str, gpus: int, required: bool, models_dir: Path, cluster: Any) -> None:
    cluster(gpus)
    built = app.build(arguments(models_dir, device=device))
    assert shares(built) == ON_GPUS
    assert devices(built) == {
        "detector-mtcnn": Device("cuda", 1, 2048 * MIB, required),
        "detector-mediapipe": Device("cpu", threads=1),
        "liveness-crmnet": Device("cuda", 3, 2048 * MIB, required),
        "embedder-arcface": Device("cuda", 1, 512 * MIB, required),
    }


def test_the_ingress_has_its_cpus_the_limits_and_every_stage_by_role(models_dir: Path, cluster: Any) -> None:
    cluster(0)
    args = arguments(models_dir, limits={"max_image_size": 1000}, addresses={"timeout": 2})
    ingress = deployment_of(app.build(args))
    assert ingress.name == "ingress"
    assert ingress.ray_actor_options == {"num_cpus": 0.4, "num_gpus": 0}
    given = ingress.init_kwargs
    assert given["limits"] == args.limits
    assert given["addresses"] == args.addresses
    assert {role: stage.card.name for role, stage in given["stages"].items()} == {
        "mtcnn": "mtcnn",
        "mediapipe": "mediapipe-full-range",
        "crmnet": "deep-tree",
        "arcface": "mobilefacenet",
    }
    assert given["defaults"] == {"detector": "mtcnn", "liveness": "crmnet", "embedder": "arcface"}


def test_every_stage_gets_its_model_store_and_engine_and_a_detector_its_limits_too(
    models_dir: Path, cluster: Any
) -> None:
    cluster(0)
    built = app.build(arguments(models_dir, limits={"max_image_size": 1, "max_image_pixels": 2}))
    given = {stage.name: stage.init_args for stage in stage_deployments(built)}
    assert {name: args[:3] for name, args in given.items()} == {
        "detector-mtcnn": ("mtcnn", models_dir, "onnx"),
        "detector-mediapipe": ("mediapipe-full-range", models_dir, "onnx"),
        "liveness-crmnet": ("deep-tree", models_dir, "tensorflow"),
        "embedder-arcface": ("mobilefacenet", models_dir, "onnx"),
    }
    limits = Limits(max_bytes=1, max_pixels=2, max_dimension=1024)
    assert given["detector-mtcnn"][4:] == (limits, {"min_face": 30})
    assert given["detector-mediapipe"][4:] == (limits, {})
    assert len(given["liveness-crmnet"]) == len(given["embedder-arcface"]) == 4


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "arcface-r50",
            "the model arcface-r50 cannot be used, it is not pulled: run `facegraph models pull arcface-r50`",
        ),
        ("mobilefacet", "no model is called 'mobilefacet'; the catalogue has "),
    ],
)
def test_a_model_that_is_not_there_is_named(model: str, message: str, models_dir: Path, cluster: Any) -> None:
    cluster(0)
    with pytest.raises(ModelError) as caught:
        app.build(arguments(models_dir, {"arcface": {"model": model}}))
    assert str(caught.value).startswith(message)


def test_a_superseded_model_is_served_and_said_so_once(models_dir: Path, cluster: Any) -> None:
    cluster(0)
    with serve_log() as records:
        app.build(arguments(models_dir))
    assert [record.getMessage() for record in records] == [
        "The model deep-tree of the stage crmnet is superseded by fr-liveness"
    ]


def test_a_fusion_needs_the_exports_of_its_members(tmp_path: Path, cluster: Any) -> None:
    cluster(0)
    fused = {"crmnet": {"model": "crmnet-duo"}}
    models_dir = pull(tmp_path, *MODELS, "fr-liveness")
    with pytest.raises(ModelError, match="the model minifasnet cannot be used"):
        app.build(arguments(models_dir, fused))
    built = app.build(arguments(pull(models_dir, "minifasnet"), fused))
    assert deployment_of(built).init_kwargs["stages"]["crmnet"].card.name == "crmnet-duo"


def test_the_cluster_is_not_asked_where_the_device_is_named(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> float:
        raise AssertionError

    monkeypatch.setattr(app, "_cluster_gpus", ask)
    assert shares(app.build(arguments(models_dir, device="cpu"))) == ON_CPUS
    assert shares(app.build(arguments(models_dir, device="cuda"))) == ON_GPUS


def gallery_of(built: Application) -> tuple[Any, Any]:
    """The gallery's writer and its reader."""
    writer, reader = map(deployment_of, deployment_of(built).init_kwargs["gallery"])
    return writer, reader


def test_a_gallery_in_a_folder_is_kept_on_the_head_node(models_dir: Path, cluster: Any) -> None:
    cluster(0)
    writer, reader = gallery_of(app.build(arguments(models_dir, gallery={"uri": "somewhere", "reader_threads": 3})))
    assert (writer.name, reader.name) == ("gallery-writer", "gallery-reader")
    for deployment, threads in ((writer, "1"), (reader, "3")):
        options = deployment.ray_actor_options
        assert options["resources"] == {"node:__internal_head__": 0.001}
        assert options["runtime_env"] == {"env_vars": {"OMP_NUM_THREADS": threads}}
        assert (options["num_cpus"], options["num_gpus"]) == (0.1, 0)
        assert deployment.init_args[0].uri == str(ROOT / "somewhere")


def test_the_gallery_starts_from_a_folder_whose_name_a_shell_would_split(
    models_dir: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster(0)
    monkeypatch.setattr("sys.executable", "/a folder/bin/python")
    for deployment in gallery_of(app.build(arguments(models_dir))):
        assert deployment.ray_actor_options["runtime_env"]["py_executable"] == "'/a folder/bin/python'"


def test_a_gallery_in_an_object_store_is_kept_anywhere(models_dir: Path, cluster: Any) -> None:
    cluster(0)
    asked = {"uri": "s3://bucket/gallery", "storage_options": {"region": "eu-central-1"}, "clean_s": 60}
    writer, reader = gallery_of(app.build(arguments(models_dir, gallery=asked)))
    assert "resources" not in writer.ray_actor_options | reader.ray_actor_options
    [place, index_rows, optimise_s, clean_s] = writer.init_args
    assert (place.uri, place.storage_options) == ("s3://bucket/gallery", {"region": "eu-central-1"})
    assert (index_rows, optimise_s, clean_s) == (120_000, 20, 60)
    assert reader.init_args == (place, 256)


def test_a_stage_inside_the_ingress_has_no_deployment_and_adds_its_share(models_dir: Path, cluster: Any) -> None:
    cluster(1)
    inside = {"model": "mobilefacenet", "place": "ingress", "cpus": 0.5, "gpus": 0.25}
    ingress = deployment_of(app.build(arguments(models_dir, {"arcface": inside, "facenet": inside})))
    assert ingress.ray_actor_options == {"num_cpus": pytest.approx(0.4 + 2 * 0.5), "num_gpus": 0.5}
    stage = ingress.init_kwargs["stages"]["arcface"].stage
    assert stage.func is FaceNetworkReplica
    assert stage.args == ("mobilefacenet", models_dir, "onnx", Device("cuda", 1, 2048 * MIB, required=False))
    assert {stage.name for stage in map(deployment_of, (ingress.init_kwargs["stages"]["crmnet"].stage,))} == {
        "liveness-crmnet"
    }
