"""What the machine has: cores, memory, disk, a GPU."""

import shutil
from pathlib import Path

from deployments.errors import StartError
from deployments.preflight import fit_cores, rays_cores
from facegraph.doctor.finding import Finding
from graphs.settings import AppArgs

MEMORY = 3 * 2**30
"""Bytes: the default configuration took 2.4 GB when it was idle."""
FULL, ALMOST_FULL = 2**28, 2**31
"""Bytes of the disk: with less than the first nothing works, with less than the second not for long."""
FEW_CORES = 4
"""Up to which stages run better inside the ingress; see docs/sizing.md."""


def cores(args: AppArgs, found: int | None = None) -> Finding:
    """Whether the configuration fits the cores."""
    stages = [*args.detectors.values(), *args.liveness.values(), *args.embedders.values()]
    laptop = "facegraph serve configs/laptop.yaml"
    found = rays_cores() if found is None else found
    try:
        fit_cores([args], found)
    except StartError as error:
        return Finding("problem", str(error), laptop)
    if found <= FEW_CORES and any(stage.place == "own" for stage in stages):
        return Finding("warning", f"{found} cores are few for stages with processes of their own", laptop)
    return Finding("ok", f"{found} cores; one replica of each stage reserves {args.cpus:g}")


def memory(table: Path = Path("/proc/meminfo")) -> Finding:
    """Whether there is memory for the service."""
    lines = (line.split() for line in table.read_text("utf-8").splitlines())
    # In KiB.
    available = next(int(line[1]) * 1024 for line in lines if line[0] == "MemAvailable:")
    what = f"{available / 2**30:.1f} GiB of memory are available"
    if available < MEMORY:
        return Finding(
            "warning", f"{what}; the default configuration takes 2.4 GB when idle", "ps aux --sort=-rss | head"
        )
    return Finding("ok", what)


def disk(folder: Path) -> Finding:
    """Whether there is room where models and the gallery are."""
    free = shutil.disk_usage(folder).free
    what = f"{free / 2**30:.1f} GiB of the disk of {folder} are free"
    if free > ALMOST_FULL:
        return Finding("ok", what)
    return Finding("problem" if free < FULL else "warning", what, f"df -h {folder}")


def gpu(args: AppArgs, devices: Path = Path("/dev")) -> Finding:
    """Whether a GPU that is there can be used."""
    if not (devices / "nvidia0").exists():
        if args.device == "cuda":
            return Finding("problem", "the configuration wants a GPU, and there is none", "nvidia-smi")
        return Finding("ok", "no NVIDIA GPU: the networks run on CPUs")
    # A second's import.
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return Finding("ok", "an NVIDIA GPU, and an ONNX Runtime that was built for CUDA")
    what = "an NVIDIA GPU, and an ONNX Runtime that was not built for CUDA"
    return Finding("problem" if args.device == "cuda" else "warning", what, "pip install onnxruntime-gpu")
