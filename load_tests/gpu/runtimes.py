"""The engines and devices that this machine has for networks."""

import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from models.device import Device, Engine

# One thread, as in a replica.
CPU, GPU = Device(threads=1), Device("cuda")

PROVIDERS: Mapping[Engine, str] = {
    "onnx-float32": "CUDAExecutionProvider",
    "onnx-float16": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""ONNX Runtime's provider of each engine that is measured on a GPU."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """An engine on a device."""

    engine: Engine
    device: Device

    def __str__(self) -> str:
        return f"{self.engine} on {self.device.kind}"


@dataclass(frozen=True, slots=True)
class Installed:
    """What a machine has for networks.

    Attributes:
        gpu: name, driver and memory of the first NVIDIA GPU, as nvidia-smi reports them; empty if there is none.
        providers: of ONNX Runtime; None if it is not installed.
        torch_gpu: see `models.originals.torch_cuda`; None if PyTorch is not installed.
    """

    gpu: str
    providers: Collection[str] | None
    torch_gpu: Mapping[str, str] | None


def installed() -> Installed:
    """Look at this machine, and import only what is installed."""
    providers = import_module("onnxruntime").get_available_providers() if find_spec("onnxruntime") else None
    torch_gpu = import_module("models.originals.torch_cuda").torch_gpu() if find_spec("torch") else None
    return Installed(_nvidia_smi(), providers, torch_gpu)


def reference(machine: Installed) -> Runtime:
    """Return the runtime with which the others are compared: 32-bit floats on the CPU."""
    return Runtime("torch" if machine.providers is None else "onnx-float32", CPU)


def choose(machine: Installed) -> tuple[list[Runtime], list[str]]:
    """Return the runtimes to measure, and a line for each that is missing."""
    no_onnx = "ONNX Runtime is not installed" if machine.providers is None else ""
    no_torch = "PyTorch is not installed" if machine.torch_gpu is None else ""
    no_gpu = "" if machine.gpu or machine.torch_gpu else "no NVIDIA GPU was found"
    reasons = [(Runtime("onnx", CPU), no_onnx), (Runtime("torch", CPU), no_torch)]
    for engine, provider in PROVIDERS.items():
        no_provider = "" if provider in (machine.providers or ()) else f"ONNX Runtime was built without {provider}"
        reasons.append((Runtime(engine, GPU), no_onnx or no_gpu or no_provider))
    no_cuda = "" if machine.torch_gpu else "PyTorch was built without CUDA, or for another driver"
    reasons.append((Runtime("torch", GPU), no_torch or no_gpu or no_cuda))
    chosen = [runtime for runtime, reason in reasons if not reason]
    return chosen, [f"{runtime}: {reason}" for runtime, reason in reasons if reason]


def _nvidia_smi() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""
