"""The engines and devices that this machine has for networks."""

import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
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


RUNTIMES = (
    *(Runtime("onnx", CPU), Runtime("torch", CPU)),
    *(Runtime("onnx-float32", GPU), Runtime("onnx-float16", GPU), Runtime("tensorrt", GPU), Runtime("torch", GPU)),
)
"""The runtimes that are measured if the machine has them."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What a machine has for networks.

    Attributes:
        gpu: name, driver and memory of the first NVIDIA GPU; empty if there is none.
        providers: execution providers of ONNX Runtime; None if it is not installed.
        torch_cuda: PyTorch's version of CUDA, empty if it cannot use a GPU; None if PyTorch is not installed.
    """

    gpu: str
    providers: Collection[str] | None
    torch_cuda: str | None

    @property
    def reference(self) -> Runtime:
        """The runtime with which the others are compared: 32-bit floats on the CPU."""
        return Runtime("torch" if self.providers is None else "onnx-float32", CPU)

    def lacks(self, runtime: Runtime) -> str:
        """Return why `runtime` cannot be measured; empty if it can."""
        package, found = ("PyTorch", self.torch_cuda) if runtime.engine == "torch" else ("ONNX Runtime", self.providers)
        if found is None:
            return f"{package} is not installed"
        if runtime.device.kind == "cpu":
            return ""
        if not self.gpu:
            return "no NVIDIA GPU was found"
        if runtime.engine == "torch":
            return "" if found else "PyTorch was built without CUDA, or for another driver"
        provider = "TensorrtExecutionProvider" if runtime.engine == "tensorrt" else "CUDAExecutionProvider"
        return "" if provider in found else f"ONNX Runtime was built without {provider}"


def installed() -> Installed:
    """Look at this machine, and import only what is installed."""
    providers = import_module("onnxruntime").get_available_providers() if find_spec("onnxruntime") else None
    gpu, torch_cuda = _nvidia_smi(), None
    if find_spec("torch"):
        torch = import_module("torch")
        torch_cuda = str(torch.version.cuda) if torch.cuda.is_available() else ""
        gpu = gpu or (torch.cuda.get_device_name(0) if torch_cuda else "")
    return Installed(gpu, providers, torch_cuda)


def _nvidia_smi() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""
