"""The device and the runtime that a network runs on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard, get_args

OnnxEngine = Literal["onnx", "onnx-float32", "onnx-float16", "tensorrt"]
"""Engines that run exports in ONNX Runtime. ``onnx`` uses 8-bit integers on CPUs if the card has an int8 export, and
32-bit floats otherwise. ``tensorrt`` uses TensorRT, with 16-bit floats where they are faster."""

Engine = Literal[OnnxEngine, "torch", "tensorflow"]
"""ONNX Runtime, or the network's original framework."""


def is_onnx(engine: Engine) -> TypeGuard[OnnxEngine]:
    """Return whether `engine` runs exported networks."""
    return engine in get_args(OnnxEngine)


@dataclass(frozen=True, slots=True)
class Simulation:
    """Times of a simulated GPU.

    Attributes:
        call_s: seconds per call of a network.
        item_s: additional seconds per item of the call, e.g. per face.
    """

    call_s: float
    item_s: float


@dataclass(frozen=True, slots=True)
class Device:
    """A replica's share of the machine.

    Attributes:
        kind: ``cuda`` is the first visible GPU; Ray shows each replica only its own.
        threads: CPU threads per inference.
        gpu_memory_bytes: limit of ONNX Runtime's GPU memory arena. None for no limit.
        required: whether an unusable GPU is an error. If not, the network runs on the CPU and a warning is logged.
        provider_options: options of ONNX Runtime's CUDA or TensorRT provider. They take precedence over those in
            `models.onnx_session`.
        io_binding: whether inputs and outputs are bound to the session for each call, instead of passed as arrays.
        simulation: times of a simulated GPU, see `models.simulated`; None for a real device.
    """

    kind: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    gpu_memory_bytes: int | None = None
    required: bool = True
    provider_options: Mapping[str, Any] = field(default_factory=dict)
    io_binding: bool = False
    simulation: Simulation | None = None
