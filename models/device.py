"""Where a replica's network runs."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Device:
    """What a replica owns of the machine.

    Attributes:
        kind: ``cpu`` or ``cuda`` (the first visible GPU; Ray shows a replica only its own).
        threads: CPU threads for one inference.
        gpu_memory_bytes: most that the runtime's arena may take of the GPU; None for no limit.
        required: whether a GPU that turns out to be of no use is an error, or a warning in the log
            and the CPU in its place.
    """

    kind: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    gpu_memory_bytes: int | None = None
    required: bool = True
