"""Sessions for ONNX files, and their errors."""

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.device import Device
from models.errors import ModelError
from models.onnx_session import OnnxNetwork, open_session
from tests.models.graphs import written


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A file that subtracts and adds its two inputs."""
    text = "core (float[n] a, float[n] b) => (float[n] less, float[n] more) { less = Sub (a, b) more = Add (a, b) }"
    onnx.save(written(text), tmp_path / "network.onnx")
    return tmp_path / "network.onnx"


def test_a_network_takes_its_inputs_in_order_and_gives_all_outputs(network: Path) -> None:
    less, more = OnnxNetwork(network, Device())(np.array([5, 7], np.float32), np.array([2, 3], np.float32))
    assert (less.tolist(), more.tolist()) == ([3, 4], [7, 10])


def test_a_session_runs_on_the_threads_it_was_given(network: Path) -> None:
    options = open_session(network, Device(threads=2)).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_missing_or_damaged_file_is_named(network: Path) -> None:
    network.write_bytes(network.read_bytes()[:40])
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot open .*network\.onnx"):
        open_session(network, Device())
    network.unlink()
    with pytest.raises(ModelError, match=r"network\.onnx is missing: run `facegraph models pull`"):
        open_session(network, Device())


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
