"""ONNX Runtime sessions with the settings that every network shares."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.device import Device, OnnxEngine
from models.errors import ModelError
from models.float16 import half_precision

if TYPE_CHECKING:
    import onnxruntime

logger = logging.getLogger(__name__)

CUDA = "CUDAExecutionProvider"

MAX_TENSORRT_BATCH = 64
"""TensorRT compiles a network for batches up to this size. It compiles again for a larger one, which takes minutes."""


def open_session(path: Path, device: Device, engine: OnnxEngine = "onnx") -> "onnxruntime.InferenceSession":
    """Open the ONNX file at `path` on `device`.

    Raises:
        ModelError: the file is missing or damaged, a required GPU cannot be used, or TensorRT cannot run the network.
    """
    # Imported here, because the other engines run without it.
    import onnxruntime

    if not path.is_file():
        raise ModelError(f"{path} is missing: run `facegraph models pull`")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = device.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads would take CPU time from other replicas.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _providers(path, device, engine)
    try:
        model = half_precision(path) if engine == "onnx-float16" else path
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:
        # ONNX Runtime's errors have no common base class below Exception.
        raise ModelError(f"ONNX Runtime cannot open {path}: {error}") from error
    if device.kind == "cuda":
        missing = [name for name, _ in providers[:-1] if name not in session.get_providers()]
        _check_gpu(path, device, missing)
    return session


def _check_gpu(path: Path, device: Device, missing: Sequence[str]) -> None:
    """Report the providers that ONNX Runtime could not use, if there are any.

    Raises:
        ModelError: the GPU is required. If it is not, a warning is logged.
    """
    if not missing:
        return
    if CUDA in missing:
        problem, instead = "on a GPU, but ONNX Runtime found no usable CUDA", "the CPU"
        solution = "install its CUDA libraries or set `device: cpu`"
    else:
        problem, instead = "in TensorRT, but ONNX Runtime found no usable TensorRT", "CUDA"
        solution = "install the TensorRT libraries that it was built for or set `engine: onnx-float16`"
    if device.required:
        raise ModelError(f"{path} should run {problem}: {solution}")
    logger.warning("%s should run %s: it runs on %s instead", path, problem, instead)


def _providers(path: Path, device: Device, engine: OnnxEngine) -> list[tuple[str, dict[str, Any]]]:
    """Return ONNX Runtime's execution providers with their options, best first.

    The CUDA options let several replicas share a GPU: the memory arena grows only by what is requested, and convolution
    algorithms are chosen by heuristics, because an exhaustive search would need memory that the limit does not cover.
    TensorRT's compiled networks are cached next to the file, because compiling takes minutes.

    Raises:
        ModelError: TensorRT cannot run the network.
    """
    cpu: tuple[str, dict[str, Any]] = ("CPUExecutionProvider", {})
    if device.kind == "cpu":
        if engine == "tensorrt":
            raise ModelError(f"{path} cannot run in TensorRT on a CPU: set `engine: onnx`")
        return [cpu]
    import onnxruntime

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
    if engine != "tensorrt":
        return [(CUDA, {**cuda, **device.provider_options}), cpu]
    tensorrt: dict[str, Any] = {
        "device_id": 0,
        "trt_fp16_enable": True,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(path.parent / "tensorrt"),
        "trt_timing_cache_enable": True,
        **_profile(path),
    }
    if device.gpu_memory_bytes is not None:
        tensorrt["trt_max_workspace_size"] = device.gpu_memory_bytes
    return [("TensorrtExecutionProvider", {**tensorrt, **device.provider_options}), (CUDA, cuda), cpu]


def _profile(path: Path) -> dict[str, str]:
    """Return the input shapes for which TensorRT compiles a network. Only the size of the batch may vary.

    Raises:
        ModelError: other dimensions vary too, such as the size of a detector's photos.
    """
    # Imported here, because only this engine needs it.
    import onnx

    inputs = {entry.name: entry.type.tensor_type.shape.dim for entry in onnx.load(path).graph.input}
    if any(not dimension.dim_value for dimensions in inputs.values() for dimension in dimensions[1:]):
        raise ModelError(f"TensorRT would compile {path} for each size of its inputs: set `engine: onnx-float16`")

    def shapes(batch: int) -> str:
        sizes = {name: [batch, *(dim.dim_value for dim in dimensions[1:])] for name, dimensions in inputs.items()}
        return ",".join(f"{name}:{'x'.join(map(str, size))}" for name, size in sizes.items())

    batches = {"min": 1, "opt": MAX_TENSORRT_BATCH // 4, "max": MAX_TENSORRT_BATCH}
    return {f"trt_profile_{kind}_shapes": shapes(batch) for kind, batch in batches.items()}


class OnnxNetwork:
    """An exported network in a session of `open_session`. Creating it raises the same errors."""

    def __init__(self, path: Path, device: Device, engine: OnnxEngine = "onnx") -> None:
        self._session = open_session(path, device, engine)
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        self._outputs = [entry.name for entry in self._session.get_outputs()]
        self._binds = device.io_binding

    def __call__(self, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Run the graph on one array per input and return all outputs, both in the graph's order."""
        inputs = zip(self._inputs, arrays, strict=True)
        if not self._binds:
            return tuple(self._session.run(self._outputs, dict(inputs)))
        binding = self._session.io_binding()
        for name, array in inputs:
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
        for name in self._outputs:
            binding.bind_output(name)
        self._session.run_with_iobinding(binding)
        return tuple(binding.copy_outputs_to_cpu())
