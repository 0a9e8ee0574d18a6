"""Loading models into their runtimes or a simulated device, and the errors."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models import engines, simulated
from models.catalogue import card, networks_of
from models.detection import Detector
from models.detectors.centerface import CenterFace
from models.detectors.mtcnn import Mtcnn
from models.detectors.retinaface import RetinaFace
from models.device import Device, Engine, Simulation
from models.engines import load_detector, load_members, load_network
from models.errors import ModelError
from models.onnx_session import OnnxNetwork
from models.simulated import simulated_card
from models.store import Store
from project.root import ROOT
from tests.conftest import pulled

CPU = Device()


def noise(count: int, size: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize(("name", "size", "shape"), [("mobilefacenet", 112, (192,)), ("fr-liveness", 128, ())])
def test_a_network_answers_for_any_number_of_faces(
    store: Store, name: str, size: int, shape: tuple[int, ...], count: int
) -> None:
    answer = load_network(card(name), store, "onnx", CPU)(noise(count, size))
    assert answer.dtype == np.float32
    assert answer.shape == (count, *shape)


@pytest.mark.parametrize("name", ["mobilefacenet", "facenet", "fr-liveness", "fr-pose", "fr-eyes"])
def test_a_face_gets_the_same_answer_in_a_batch_as_alone(store: Store, name: str) -> None:
    entry = card(name)
    network, crops = load_network(entry, store, "onnx", CPU), [noise(5, spec.size) for spec in entry.crops]
    alone = [network(*(crop[face : face + 1] for crop in crops)) for face in range(5)]
    np.testing.assert_array_equal(network(*crops), np.concatenate(alone))


@pytest.mark.parametrize("name", ["centerface", "retinaface-mobilenet"])
def test_a_photo_gets_the_same_answer_in_a_batch_as_alone(store: Store, name: str) -> None:
    network, photos = OnnxNetwork(store.exports(pulled(name))[0], CPU), noise(3, 160)
    alone = [network(photo[None]) for photo in photos]
    for together, *single in zip(network(photos), *alone, strict=True):
        np.testing.assert_array_equal(together, np.concatenate(single))


def test_a_fusion_reads_the_answers_of_its_members(store: Store) -> None:
    entry = pulled("crmnet-duo")
    cut = {spec: noise(3, spec.size) for spec in entry.crops}
    members = [
        load_members(member, store, "onnx", CPU)(*(cut[spec] for spec in member.crops)) for member in networks_of(entry)
    ]
    expected = entry.face_task.reading(entry.output, entry.fusion, np.concatenate(members, axis=1))
    np.testing.assert_allclose(load_network(entry, store, "onnx", CPU)(*cut.values()), expected, atol=1e-6)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The opened ONNX files. They answer zeros, and every model counts as pulled."""
    names: list[str] = []

    def network(path: Path, device: Device, engine: Engine) -> Any:
        names.append(path.name)
        shape = card(path.parent.name).shape
        return lambda crops: (np.zeros((len(crops), *shape)),)

    monkeypatch.setattr(engines, "OnnxNetwork", network)
    monkeypatch.setattr(Store, "exports", lambda store, entry: [store.folder(entry) / name for name in entry.exports])
    return names


@pytest.mark.parametrize(
    ("name", "kind", "engine", "file"),
    [
        ("facenet", "cpu", "onnx", "embedder.int8.onnx"),
        ("facenet", "cpu", "onnx-float32", "embedder.onnx"),
        ("facenet", "cuda", "onnx", "embedder.onnx"),
        ("mobilefacenet", "cpu", "onnx", "embedder.onnx"),
        ("mobilefacenet", "cpu", "onnx-float32", "embedder.onnx"),
        ("facenet", "cpu", "onnx-float16", "embedder.onnx"),
    ],
)
def test_integers_run_only_on_cpus_and_only_if_the_card_has_them(
    new_store: Store, opened: list[str], name: str, kind: Any, engine: Engine, file: str
) -> None:
    load_network(card(name), new_store, engine, Device(kind))
    assert opened == [file]


@pytest.mark.parametrize(
    ("name", "kind"), [("mtcnn", Mtcnn), ("retinaface-mobilenet", RetinaFace), ("centerface", CenterFace)]
)
def test_a_detector_runs_in_floats_with_either_engine(
    new_store: Store, opened: list[str], monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Detector]
) -> None:
    monkeypatch.setattr(kind, "detect", lambda *args: [])
    for engine in ("onnx", "onnx-float32"):
        load_detector(card(name), new_store, engine, CPU, {})
    assert opened == [*card(name).exports] * 2


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("mtcnn", {"min_faces": 40}, "min_faces"),
        ("mediapipe-full-range", {"min_faces": 40}, "min_faces"),
        ("mtcnn", {"min_face": "40"}, "'int' and 'str'"),
    ],
)
def test_an_option_that_a_detector_does_not_take_is_named(
    store: Store, name: str, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(ModelError, match=f"the detector {name} does not take these options: .*{named}"):
        load_detector(card(name), store, "onnx", CPU, options)


def load(name: str, store: Store, engine: Any, device: Device = CPU) -> Any:
    entry = card(name)
    if entry.task == "detector":
        return load_detector(entry, store, engine, device, {})
    return load_network(entry, store, engine, device)


BLAZE_FACE = "mediapipe-full-range runs in MediaPipe on the CPU: leave out its engine and set `gpus: 0`"
ENGINES = "{} does not run in {}, only in onnx, onnx-float32, onnx-float16, tensorrt{}"


@pytest.mark.parametrize(
    ("name", "engine", "device", "problem"),
    [
        ("mediapipe-full-range", "onnx-float32", CPU, BLAZE_FACE),
        ("mediapipe-full-range", "onnx", Device("cuda"), BLAZE_FACE),
        ("mobilefacenet", "torch", CPU, ENGINES.format("mobilefacenet", "torch", ", tensorflow")),
        ("mtcnn", "tensorflow", CPU, ENGINES.format("mtcnn", "tensorflow", ", torch")),
        ("retinaface-mobilenet", "tensorflow", CPU, ENGINES.format("retinaface-mobilenet", "tensorflow", ", torch")),
        ("centerface", "torch", CPU, ENGINES.format("centerface", "torch", "")),
    ],
)
def test_an_engine_or_device_that_a_model_does_not_have_is_refused(
    store: Store, name: str, engine: Any, device: Device, problem: str
) -> None:
    pulled(name)
    with pytest.raises(ModelError, match=f"^{problem}$"):
        load(name, store, engine, device)


@pytest.mark.parametrize(("name", "engine"), [("mtcnn", "torch"), ("mobilefacenet", "tensorflow")])
def test_an_engine_that_is_not_installed_is_refused_with_the_command_to_run(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str, engine: Any
) -> None:
    monkeypatch.setattr("models.originals.find_spec", lambda package: None)
    with pytest.raises(ModelError, match=rf"^{name} cannot run in {engine}, .*: run `make install EXTRAS={engine}`$"):
        load(name, store, engine)
    assert load("mtcnn", store, "onnx")


@pytest.mark.parametrize(("name", "engine"), [("mobilefacenet", "onnx"), ("minifasnet", "torch"), ("mtcnn", "onnx")])
def test_a_model_that_is_not_pulled_is_refused_with_the_command_to_run(
    new_store: Store, name: str, engine: Any
) -> None:
    with pytest.raises(ModelError, match=rf"{name} cannot be used .*: run `facegraph models pull {name} --store "):
        load(name, new_store, engine)


def test_a_network_of_another_task_is_not_loaded_as_a_detector(store: Store) -> None:
    with pytest.raises(ModelError, match="mobilefacenet is not a detector"):
        load_detector(card("mobilefacenet"), store, "onnx", CPU, {})


def test_onnx_and_mediapipe_load_neither_torch_nor_tensorflow() -> None:
    script = """
import sys
from models.catalogue import card
from models.device import Device
from models.engines import load_detector, load_network
from models.store import DEFAULT_STORE, Store
store = Store(DEFAULT_STORE)
load_network(card("mobilefacenet"), store, "onnx", Device())
for name in ("mtcnn", "mediapipe-full-range"):
    load_detector(card(name), store, "onnx", Device(), {}).close()
print("loaded", sorted({"torch", "tensorflow", "onnx", "ray", "fastapi"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(simulated, "time", SimpleNamespace(sleep=seconds.append))
    return seconds


DEVICE = Device("cuda", simulation=Simulation(0.5, 0.125))


def test_call_takes_a_fixed_time_plus_a_little_per_face(store: Store, slept: list[float]) -> None:
    network = load_network(card("mobilefacenet"), store, "onnx", DEVICE)
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    together = network(crops)
    np.testing.assert_array_equal(together, np.concatenate([network(crop[None]) for crop in crops]))
    assert together.shape == (3, 192)
    assert slept == [0.875, 0.625, 0.625, 0.625]


def test_detector_reports_the_whole_photo_after_one_call(store: Store, slept: list[float]) -> None:
    detector = load_detector(card("centerface"), store, "onnx", DEVICE, {})
    slept.clear()
    [face] = detector.detect(np.zeros((60, 80, 3), dtype=np.uint8))
    assert (face.box, face.score, slept) == ((0, 0, 80, 60), 1.0, [0.625])


def test_embeddings_cannot_be_confused_with_real_ones() -> None:
    real = card("mobilefacenet")
    assert simulated_card(real).name == "simulated-mobilefacenet"
    assert simulated_card(real).embedding_contract != real.embedding_contract
