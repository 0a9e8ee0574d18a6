"""The device that a network runs on."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Simulation:
    """Times of a simulated device.

    Attributes:
        call_s: seconds per call of a network.
        item_s: seconds per item of the call in addition, e.g. per face.
    """

    call_s: float
    item_s: float


@dataclass(frozen=True, slots=True)
class Device:
    """A replica's share of the machine.

    Attributes:
        kind: ``cpu`` or ``cuda``, which is the first visible GPU, since Ray shows each replica only its own; or
            ``simulated``, see `models.simulated`.
        threads: CPU threads per inference.
        gpu_memory_bytes: limit of ONNX Runtime's GPU memory arena. None for no limit.
        required: whether an unusable GPU is an error. If not, the network runs on the CPU and a warning is logged.
        simulation: times of a simulated device; None for others.
    """

    kind: Literal["cpu", "cuda", "simulated"] = "cpu"
    threads: int = 1
    gpu_memory_bytes: int | None = None
    required: bool = True
    simulation: Simulation | None = None
