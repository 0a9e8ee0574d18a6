"""Sessions of ONNX Runtime: providers, precision and errors."""

import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from imaging.decode import Limits
from imaging.geometry import intersection_over_union
from models.card import Card
from models.detection import PhotoDetector
from models.device import Device, OnnxEngine
from models.engines import load_detector
from models.errors import ModelError
from models.onnx_session import OnnxNetwork, open_session
from models.store import Store
from tests.conftest import pulled
from tests.models import parity
from tests.models.graphs import written

CPU = Device()


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A file that subtracts and adds its two inputs."""
    text = "core (float[n] a, float[n] b) => (float[n] less, float[n] more) { less = Sub (a, b) more = Add (a, b) }"
    onnx.save(written(text), tmp_path / "network.onnx")
    return tmp_path / "network.onnx"


def test_a_network_takes_its_inputs_in_order_and_gives_all_outputs(network: Path) -> None:
    less, more = OnnxNetwork(network, CPU)(np.array([5, 7], np.float32), np.array([2, 3], np.float32))
    assert (less.tolist(), more.tolist()) == ([3, 4], [7, 10])


def test_a_session_runs_on_the_threads_it_was_given(network: Path) -> None:
    options = open_session(network, Device(threads=2)).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_missing_or_damaged_file_is_named(network: Path) -> None:
    network.write_bytes(network.read_bytes()[:40])
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot open .*network\.onnx"):
        open_session(network, CPU)
    network.unlink()
    with pytest.raises(ModelError, match=r"network\.onnx is missing: run `facegraph models pull`"):
        open_session(network, CPU)


def test_a_gpu_that_is_not_there_is_an_error_or_a_warning(
    network: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ModelError, match="no usable CUDA: install its CUDA libraries or set `device: cpu`"):
        open_session(network, Device("cuda"))
    with caplog.at_level(logging.WARNING):
        session = open_session(network, Device("cuda", gpu_memory_bytes=1 << 30, required=False))
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert "runs on the CPU" in caplog.text


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, dict[str, Any]]]]:
    """The providers of each session that is opened. All of them can be used."""
    opened: list[list[tuple[str, dict[str, Any]]]] = []

    def session(model: Any, options: Any, providers: list[tuple[str, dict[str, Any]]]) -> Any:
        opened.append(providers)
        return SimpleNamespace(get_providers=lambda: [name for name, _ in providers])

    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    return opened


def test_configured_provider_options_replace_those_for_a_shared_gpu(network: Path, gpu: list[Any]) -> None:
    open_session(network, Device("cuda", gpu_memory_bytes=5, provider_options={"cudnn_conv_algo_search": "DEFAULT"}))
    [[(cuda, options), (cpu, _)]] = gpu
    assert (cuda, cpu) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert (options["gpu_mem_limit"], options["cudnn_conv_algo_search"]) == (5, "DEFAULT")
    assert options["arena_extend_strategy"] == "kSameAsRequested"


def test_tensorrt_is_compiled_for_batches_and_cached_and_falls_back_to_cuda(tmp_path: Path, gpu: list[Any]) -> None:
    file = tmp_path / "network.onnx"
    onnx.save(written("core (uint8[n, 2, 3] a, float[n] b) => (uint8[n, 2, 3] c) { c = Identity (a) }"), file)
    open_session(file, Device("cuda", provider_options={"trt_fp16_enable": False}), "tensorrt")
    [[(first, options), (second, _), _]] = gpu
    assert (first, second) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    shapes = [options[f"trt_profile_{kind}_shapes"] for kind in ("min", "opt", "max")]
    assert shapes == ["a:1x2x3,b:1", "a:16x2x3,b:16", "a:64x2x3,b:64"]
    assert (options["trt_engine_cache_path"], options["trt_fp16_enable"]) == (str(tmp_path / "tensorrt"), False)


def test_tensorrt_takes_neither_a_cpu_nor_photos_of_any_size(network: Path, store: Store) -> None:
    with pytest.raises(ModelError, match="cannot run in TensorRT on a CPU: set `engine: onnx`"):
        open_session(network, CPU, "tensorrt")
    photos = store.exports(pulled("centerface"))[0]
    with pytest.raises(ModelError, match="for each size of its inputs: set `engine: onnx-float16`"):
        open_session(photos, Device("cuda"), "tensorrt")


def test_missing_tensorrt_is_an_error_or_a_warning(
    network: Path, gpu: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without = SimpleNamespace(get_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **options: without)
    with pytest.raises(ModelError, match="TensorRT libraries that it was built for or set `engine: onnx-float16`"):
        open_session(network, Device("cuda"), "tensorrt")
    with caplog.at_level(logging.WARNING):
        open_session(network, Device("cuda", required=False), "tensorrt")
    assert "runs on CUDA instead" in caplog.text


def test_bound_inputs_and_outputs_give_the_same_answers(network: Path) -> None:
    pair = np.array([5, 7], np.float32), np.array([2, 3], np.float32)[::-1]
    bound = OnnxNetwork(network, Device(io_binding=True))(*pair)
    assert [each.tolist() for each in bound] == [each.tolist() for each in OnnxNetwork(network, CPU)(*pair)]


@pytest.fixture(scope="module")
def crops() -> Any:
    """Cuts crops of real faces."""

    def cut(entry: Card) -> Sequence[Any]:
        found = PhotoDetector(parity.detector(), Limits())(parity.sample(), entry.crops)
        return [found.crops[spec] for spec in entry.crops]

    return cut


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        # Cosine, logit, degrees, probability.
        ("mobilefacenet", 2e-5),
        ("facenet", 2e-5),
        ("fr-liveness", 0.05),
        ("fr-pose", 0.2),
        ("fr-eyes", 0.01),
    ],
)
def test_half_precision_keeps_the_answers(store: Store, crops: Any, name: str, bound: float) -> None:
    entry = pulled(name)
    file = next(path for path in store.exports(entry) if path.name == entry.exports[0])
    full, half = (_answers(file, engine, crops(entry)) for engine in ("onnx-float32", "onnx-float16"))
    assert not np.array_equal(full, half)
    difference = 1 - (full * half).sum(axis=1) if entry.task == "embedder" else np.abs(full - half)
    assert difference.max() < bound


def _answers(file: Path, engine: OnnxEngine, crops: Sequence[Any]) -> Any:
    return OnnxNetwork(file, CPU, engine)(*crops)[0]


@pytest.mark.parametrize("name", ["centerface", "retinaface-mobilenet"])
def test_half_precision_finds_the_same_faces(store: Store, name: str) -> None:
    entry = pulled(name)
    for full, half in zip(_faces(entry, store, "onnx-float32"), _faces(entry, store, "onnx-float16"), strict=True):
        assert len(full) == len(half)
        for one, other in zip(full, half, strict=True):
            assert intersection_over_union(one.box, other.box) > 0.95


def _faces(entry: Card, store: Store, engine: OnnxEngine) -> list[Any]:
    detector = load_detector(entry, store, engine, CPU, {})
    return [detector.detect(pixels) for pixels in parity.pixels()]
