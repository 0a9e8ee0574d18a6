"""The device that a network runs on."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Device:
    """A replica's share of the machine.

    Attributes:
        kind: ``cpu`` or ``cuda``, which is the first visible GPU. Ray shows each replica only its own.
        threads: CPU threads per inference.
        gpu_memory_bytes: limit of ONNX Runtime's GPU memory arena. None for no limit.
        required: whether an unusable GPU is an error. If not, the network runs on the CPU and a warning is logged.
    """

    kind: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    gpu_memory_bytes: int | None = None
    required: bool = True
