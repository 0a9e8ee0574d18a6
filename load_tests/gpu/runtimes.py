"""The engines and devices on which networks are measured, and which of them this machine has."""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from models.device import Device, Engine

# One thread, as in a replica.
CPU, GPU = Device(threads=1), Device("cuda")


@dataclass(frozen=True, slots=True)
class Runtime:
    """An engine on a device."""

    engine: Engine
    device: Device

    def __str__(self) -> str:
        return f"{self.engine} on {self.device.kind}"

    def problem(self) -> str:
        """Return why this machine cannot run it, or an empty string if it can."""
        package = "torch" if self.engine == "torch" else "onnxruntime"
        if find_spec(package) is None:
            return f"{package} is not installed"
        if self.device.kind == "cpu":
            return ""
        if not gpu_name():
            return "no NVIDIA GPU was found"
        module = import_module(package)
        if package == "torch":
            return "" if module.cuda.is_available() else "PyTorch was built without CUDA, or for another driver"
        provider = "TensorrtExecutionProvider" if self.engine == "tensorrt" else "CUDAExecutionProvider"
        return "" if provider in module.get_available_providers() else f"ONNX Runtime was built without {provider}"


RUNTIMES = (
    *(Runtime("onnx", CPU), Runtime("torch", CPU)),
    *(Runtime("onnx-float32", GPU), Runtime("onnx-float16", GPU), Runtime("tensorrt", GPU), Runtime("torch", GPU)),
)
"""The runtimes that are measured if the machine has them."""


def reference_runtime() -> Runtime:
    """Return the runtime with which the others are compared: 32-bit floats on the CPU."""
    return Runtime("onnx-float32" if find_spec("onnxruntime") else "torch", CPU)


@cache
def gpu_name() -> str:
    """Return name, driver and memory of the first NVIDIA GPU, or only its name; empty if there is none."""
    if shutil.which("nvidia-smi"):
        command = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0 and (line := done.stdout.partition("\n")[0].strip()):
            return line
    # Containers may have a GPU but no nvidia-smi.
    cuda = import_module("torch").cuda if find_spec("torch") else None
    return str(cuda.get_device_name(0)) if cuda and cuda.is_available() else ""
