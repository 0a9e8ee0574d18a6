"""ONNX Runtime sessions with the settings that every network shares."""

import logging
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from models.device import Device
from models.errors import ModelError

logger = logging.getLogger(__name__)


def open_session(path: Path, device: Device) -> onnxruntime.InferenceSession:
    """Open the ONNX file at `path` on `device`.

    The CUDA options let several replicas share a GPU: the memory arena grows only by what is requested, and
    convolutions are not searched exhaustively, because the memory limit does not cover the workspace of that search.

    Raises:
        ModelError: the file is missing or damaged, or a required GPU cannot be used.
    """
    if not path.is_file():
        raise ModelError(f"{path} is missing: run `facegraph models pull`")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = device.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads would take CPU time from other replicas.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=_providers(device))
    except Exception as error:
        # ONNX Runtime's errors have no common base class below Exception.
        raise ModelError(f"ONNX Runtime cannot open {path}: {error}") from error
    if device.kind == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        problem = f"{path} should run on a GPU, but ONNX Runtime found no usable CUDA"
        if device.required:
            raise ModelError(f"{problem}: install its CUDA libraries or set `device: cpu`")
        logger.warning("%s: it runs on the CPU instead", problem)
    return session


def _providers(device: Device) -> list[str | tuple[str, dict[str, Any]]]:
    if device.kind == "cpu":
        return ["CPUExecutionProvider"]
    # CUDA and cuDNN are installed as Python packages, where ONNX Runtime finds them only after this call.
    onnxruntime.preload_dlls()
    cuda: dict[str, Any] = {
        "device_id": 0,
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "0",
    }
    if device.gpu_memory_bytes is not None:
        cuda["gpu_mem_limit"] = device.gpu_memory_bytes
    return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]


class OnnxNetwork:
    """An exported network."""

    def __init__(self, path: Path, device: Device) -> None:
        self._session = open_session(path, device)
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        self._outputs = [entry.name for entry in self._session.get_outputs()]

    def __call__(self, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Run the graph on one array per input and return all outputs, both in the graph's order."""
        return tuple(self._session.run(self._outputs, dict(zip(self._inputs, arrays, strict=True))))
