"""Loading models into their runtimes, and what is said where that cannot be."""

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


@pytest.mark.parametrize("count", [0, 3])
def test_an_embedder_gives_embeddings_of_length_one(store: Store, count: int) -> None:
    embeddings = load_network(card("mobilefacenet"), store, "onnx", CPU)(noise(count, 112))
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (count, 192)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("count", [0, 2])
def test_a_liveness_network_gives_probabilities(store: Store, count: int) -> None:
    live = load_network(card("fr-liveness"), store, "onnx", CPU)(noise(count, 128))
    assert live.dtype == np.float32
    assert live.shape == (count,)
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


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The opened ONNX files. They answer nothing, and every model counts as pulled."""
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


@pytest.mark.parametrize(
    ("name", "engine", "device", "problem"),
    [
        *(
            ("mediapipe-full-range", engine, CPU, "runs in MediaPipe on the CPU: leave out its engine")
            for engine in ("onnx-float32", "torch", "tensorflow")
        ),
        ("mediapipe-full-range", "onnx", Device("cuda"), ".*set `gpus: 0`"),
        ("mobilefacenet", "torch", CPU, "does not run in torch: its engines are onnx, onnx-float32 and tensorflow"),
        ("minifasnet", "tensorflow", CPU, "does not run in tensorflow: its engines are onnx, onnx-float32 and torch"),
        ("mtcnn", "tensorflow", CPU, "does not run in tensorflow: its engines are onnx, onnx-float32 and torch"),
    ],
)
def test_an_engine_or_device_that_a_model_does_not_have_is_refused(
    store: Store, name: str, engine: Any, device: Device, problem: str
) -> None:
    with pytest.raises(ModelError, match=f"^{name} {problem}"):
        load(name, store, engine, device)


@pytest.mark.parametrize(
    ("name", "engine"),
    [("mobilefacenet", "onnx"), ("mobilefacenet", "tensorflow"), ("mtcnn", "onnx"), ("mtcnn", "torch")],
)
def test_a_model_that_is_not_pulled_is_answered_with_what_to_type(empty: Store, name: str, engine: Any) -> None:
    with pytest.raises(ModelError, match=rf"{name} cannot be used, .*: run `facegraph models pull {name}`"):
        load(name, empty, engine)


def test_what_is_no_detector_is_not_loaded_as_one(store: Store) -> None:
    with pytest.raises(ModelError, match="mobilefacenet is not a detector"):
        load_detector(card("mobilefacenet"), store, "onnx", CPU, {})


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
