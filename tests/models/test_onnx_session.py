"""Opening ONNX files, and what is said of those that cannot be opened."""

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.device import Device
from models.errors import ModelError
from models.onnx_graph import OPSET
from models.onnx_session import OnnxNetwork, open_session


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A file that subtracts and adds its two inputs."""
    text = "core (float[n] a, float[n] b) => (float[n] less, float[n] more) { less = Sub (a, b) more = Add (a, b) }"
    path = tmp_path / "network.onnx"
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {OPSET}]>\n{text}'), path)
    return path


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_a_network_takes_its_inputs_in_order_and_gives_all_outputs(network: Path) -> None:
    less, more = OnnxNetwork(network, Device())(np.array([5, 7], np.float32), np.array([2, 3], np.float32))
    assert less.tolist() == [3, 4]
    assert more.tolist() == [7, 10]


def test_a_network_refuses_a_wrong_number_of_inputs(network: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        OnnxNetwork(network, Device())(np.zeros(2, dtype=np.float32))


def test_a_session_runs_on_the_threads_it_was_given(network: Path) -> None:
    options = open_session(network, Device(threads=2)).get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_missing_file_is_answered_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.onnx is missing: run `facegraph models pull`"):
        open_session(tmp_path / "nowhere.onnx", Device())


def test_a_damaged_file_is_named(network: Path) -> None:
    network.write_bytes(network.read_bytes()[:40])
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot open .*network\.onnx"):
        open_session(network, Device())


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_required_and_not_there_is_an_error(network: Path) -> None:
    with pytest.raises(ModelError, match="no usable CUDA: install its CUDA libraries or set `device: cpu`"):
        open_session(network, Device("cuda"))


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_wished_for_and_not_there_is_a_warning(network: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        session = open_session(network, Device("cuda", gpu_memory_bytes=1 << 30, required=False))
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert "it runs on the CPU" in caplog.text
