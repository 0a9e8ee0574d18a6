"""Loading models into their runtimes, and what is said where that cannot be."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import engines
from models.catalogue import card, networks_of
from models.device import Device
from models.engines import Engine, load_detector, load_members, load_network
from models.errors import ModelError
from models.fusion import LIMIT
from models.store import Store
from models.tasks.liveness import LivenessOutput
from tests.conftest import PROJECT, pulled

CPU = Device()


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


def noise(count: int, size: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_an_embedder_gives_embeddings_of_length_one(store: Store) -> None:
    embeddings = load_network(card("mobilefacenet"), store, "onnx", CPU)(noise(3, 112))
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (3, 192)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_a_liveness_network_gives_probabilities(store: Store) -> None:
    live = load_network(card("fr-liveness"), store, "onnx", CPU)(noise(2, 128))
    assert live.dtype == np.float32
    assert live.shape == (2,)
    assert ((live >= 0) & (live <= 1)).all()


def test_the_shift_moves_the_operating_point_without_another_export(store: Store) -> None:
    entry, crops = card("fr-liveness"), noise(1, 128)
    ((logit,),) = load_members(entry, store, "onnx", CPU)(crops)
    at_half = entry.model_copy(update={"output": LivenessOutput(live_class=0, shift=-float(logit))})
    assert load_network(at_half, store, "onnx", CPU)(crops) == pytest.approx(0.5, abs=1e-6)
    above = entry.model_copy(update={"output": LivenessOutput(live_class=0, shift=2 - float(logit))})
    assert load_network(above, store, "onnx", CPU)(crops) == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)


def test_a_fusion_weighs_the_logits_of_its_members(store: Store) -> None:
    entry = pulled("crmnet-duo")
    cut = {spec: noise(3, spec.size) for spec in entry.crops}
    logits = [
        load_members(member, store, "onnx", CPU)(*(cut[spec] for spec in member.crops))[:, 0]
        for member in networks_of(entry)
    ]
    assert entry.fusion
    assert isinstance(entry.output, LivenessOutput)
    fused = (
        np.clip(np.stack(logits, axis=1), -LIMIT, LIMIT) @ entry.fusion.weights + entry.fusion.bias + entry.output.shift
    )
    live = load_network(entry, store, "onnx", CPU)(*cut.values())
    assert live.dtype == np.float32
    np.testing.assert_allclose(live, 1 / (1 + np.exp(-fused)), atol=1e-6)


def test_no_faces_give_no_answers(store: Store) -> None:
    assert load_network(card("mobilefacenet"), store, "onnx", CPU)(noise(0, 112)).shape == (0, 192)
    assert load_network(card("fr-liveness"), store, "onnx", CPU)(noise(0, 128)).shape == (0,)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ONNX files that were opened, each of which answers nothing; every model counts as pulled."""
    names: list[str] = []

    def network(path: Path, device: Device) -> Any:
        names.append(path.name)
        return lambda *crops: (np.zeros(0),)

    monkeypatch.setattr(engines, "OnnxNetwork", network)
    monkeypatch.setattr(Store, "exports", lambda store, entry: [store.folder(entry) / name for name in entry.exports])
    return names


@pytest.mark.parametrize(
    ("name", "kind", "engine", "file"),
    [
        ("facenet", "cpu", "onnx", "embedder.int8.onnx"),
        ("facenet", "cpu", "onnx-float32", "embedder.onnx"),
        ("facenet", "cuda", "onnx", "embedder.onnx"),
        ("facenet", "cuda", "onnx-float32", "embedder.onnx"),
        ("mobilefacenet", "cpu", "onnx", "embedder.onnx"),
        ("mobilefacenet", "cpu", "onnx-float32", "embedder.onnx"),
    ],
)
def test_integers_run_on_cpus_alone_and_where_the_card_has_them(
    empty: Store, opened: list[str], name: str, kind: Any, engine: Engine, file: str
) -> None:
    load_network(card(name), empty, engine, Device(kind))
    assert opened == [file]


def test_integers_and_floats_give_nearly_the_same(store: Store) -> None:
    entry, crops = card("facenet"), noise(2, 160)
    integers, floats = (load_network(entry, store, engine, CPU)(crops) for engine in ("onnx", "onnx-float32"))
    assert integers.dtype == floats.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(integers, axis=1), 1, atol=1e-5)
    assert ((integers * floats).sum(axis=1) > 0.9).all()
    assert np.abs(integers - floats).max() > 1e-4


@pytest.mark.parametrize("name", ["mtcnn", "retinaface-mobilenet", "centerface"])
@pytest.mark.parametrize("engine", ["onnx", "onnx-float32"])
def test_a_detector_runs_in_floats_either_way(
    empty: Store, opened: list[str], monkeypatch: pytest.MonkeyPatch, name: str, engine: Engine
) -> None:
    monkeypatch.setattr("models.detectors.mtcnn.Mtcnn.detect", lambda *args: [])
    monkeypatch.setattr("models.detectors.retinaface.RetinaFace.detect", lambda *args: [])
    monkeypatch.setattr("models.detectors.centerface.CenterFace.detect", lambda *args: [])
    load_detector(card(name), empty, engine, CPU, {})
    assert opened == list(card(name).exports)


def test_a_detector_takes_the_options_of_its_class(store: Store) -> None:
    pixels, options = noise(1, 400)[0], {"thresholds": (0.0, 0.0, 0.0), "min_face": 200}
    assert load_detector(card("mtcnn"), store, "onnx", CPU, {}).detect(pixels) == []
    assert load_detector(card("mtcnn"), store, "onnx", CPU, options).detect(pixels) != []


@pytest.mark.parametrize("name", ["mtcnn", "mediapipe-full-range"])
def test_an_option_that_a_detector_does_not_have_is_named(store: Store, name: str) -> None:
    with pytest.raises(ModelError, match=rf"the detector {name} does not take these options: .*min_faces"):
        load_detector(card(name), store, "onnx", CPU, {"min_faces": 40})


def test_an_option_of_a_wrong_type_is_named(store: Store) -> None:
    with pytest.raises(ModelError, match="the detector mtcnn does not take these options"):
        load_detector(card("mtcnn"), store, "onnx", CPU, {"min_face": "40"})


@pytest.mark.parametrize("engine", ["onnx-float32", "torch", "tensorflow"])
def test_mediapipe_runs_in_mediapipe_only(store: Store, engine: Any) -> None:
    with pytest.raises(ModelError, match="mediapipe-full-range runs in MediaPipe on the CPU: leave out its engine"):
        load_detector(card("mediapipe-full-range"), store, engine, CPU, {})


def test_mediapipe_runs_on_the_cpu_only(store: Store) -> None:
    with pytest.raises(ModelError, match="set `gpus: 0`"):
        load_detector(card("mediapipe-full-range"), store, "onnx", Device("cuda"), {})


@pytest.mark.parametrize(
    ("name", "engine", "original"),
    [("mobilefacenet", "torch", "tensorflow"), ("minifasnet", "tensorflow", "torch")],
)
def test_an_engine_that_a_network_does_not_have_is_answered_with_those_it_has(
    store: Store, name: str, engine: Any, original: str
) -> None:
    with pytest.raises(
        ModelError, match=f"{name} does not run in {engine}: its engines are onnx, onnx-float32 and {original}"
    ):
        load_network(card(name), store, engine, CPU)


def test_an_engine_that_a_detector_does_not_have_is_answered_with_those_it_has(store: Store) -> None:
    with pytest.raises(
        ModelError, match="mtcnn does not run in tensorflow: its engines are onnx, onnx-float32 and torch"
    ):
        load_detector(card("mtcnn"), store, "tensorflow", CPU, {})


@pytest.mark.parametrize("engine", ["onnx", "tensorflow"])
def test_a_network_that_is_not_pulled_is_answered_with_what_to_type(empty: Store, engine: Any) -> None:
    with pytest.raises(
        ModelError, match=r"mobilefacenet cannot be used, .*: run `facegraph models pull mobilefacenet`"
    ):
        load_network(card("mobilefacenet"), empty, engine, CPU)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_detector_that_is_not_pulled_is_answered_with_what_to_type(empty: Store, engine: Any) -> None:
    with pytest.raises(ModelError, match=r"mtcnn cannot be used, .*: run `facegraph models pull mtcnn`"):
        load_detector(card("mtcnn"), empty, engine, CPU, {})


def test_a_damaged_export_is_not_loaded(store: Store, empty: Store) -> None:
    entry = card("mobilefacenet")
    shutil.copytree(store.folder(entry), empty.folder(entry))
    (empty.folder(entry) / entry.exports[0]).write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"embedder\.onnx is missing or damaged: run"):
        load_network(entry, empty, "onnx", CPU)


@pytest.mark.parametrize("name", ["mobilefacenet", "fr-liveness"])
def test_what_is_no_detector_is_not_loaded_as_one(store: Store, name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is not a detector"):
        load_detector(card(name), store, "onnx", CPU, {})


def test_onnx_and_mediapipe_load_neither_torch_nor_tensorflow() -> None:
    script = (
        "import sys\n"
        "from models.store import DEFAULT_STORE\n"
        "from models.catalogue import card\n"
        "from models.device import Device\n"
        "from models.engines import load_detector, load_network\n"
        "from models.store import Store\n"
        "load_network(card('mobilefacenet'), Store(DEFAULT_STORE), 'onnx', Device())\n"
        "load_detector(card('mtcnn'), Store(DEFAULT_STORE), 'onnx', Device(), {})\n"
        "load_detector(card('mediapipe-full-range'), Store(DEFAULT_STORE), 'onnx', Device(), {}).close()\n"
        "print('loaded', sorted({'torch', 'tensorflow', 'ray', 'fastapi'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"
