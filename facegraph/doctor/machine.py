"""Checks of the machine: cores, memory, disk, GPU."""

import shutil
from pathlib import Path

from deployments.errors import StartError
from deployments.preflight import fit_cores, rays_cores
from facegraph.doctor import Finding
from graphs.settings import AppArgs

MEMORY = 3 * 2**30
"""Bytes. The default configuration uses 2.4 GB when idle."""
FULL, ALMOST_FULL = 2**28, 2**31
"""Free disk space in bytes: below the first, nothing works; below the second, the disk will soon be full."""
FEW_CORES = 4
"""With up to this many cores, stages run better inside the ingress; see docs/sizing.md."""


def cores(args: AppArgs, found: int | None = None) -> Finding:
    """Check that the configuration fits the cores."""
    laptop = "facegraph serve configs/laptop.yaml"
    found = rays_cores() if found is None else found
    try:
        fit_cores([args], found)
    except StartError as error:
        return Finding("problem", str(error), laptop)
    if found <= FEW_CORES and any(stage.place == "own" for stage in args.stages.values()):
        return Finding("warning", f"the stages run in separate processes, on few cores ({found})", laptop)
    return Finding("ok", f"number of cores: {found}; one replica of each stage reserves {args.cpus:g}")


def memory(table: Path = Path("/proc/meminfo")) -> Finding:
    """Check the available memory."""
    lines = (line.split() for line in table.read_text("utf-8").splitlines())
    available = next(1024 * int(kib) for name, kib, *_ in lines if name == "MemAvailable:")
    what = f"{available / 2**30:.1f} GiB of memory are available"
    if available < MEMORY:
        return Finding(
            "warning", f"{what}; the default configuration uses 2.4 GB when idle", "ps aux --sort=-rss | head"
        )
    return Finding("ok", what)


def disk(folder: Path) -> Finding:
    """Check the free space for models and the gallery."""
    free = shutil.disk_usage(folder).free
    what = f"{free / 2**30:.1f} GiB are free on the disk of {folder}"
    if free > ALMOST_FULL:
        return Finding("ok", what)
    return Finding("problem" if free < FULL else "warning", what, f"df -h {folder}")


def gpu(args: AppArgs, devices: Path = Path("/dev")) -> Finding:
    """Check that ONNX Runtime can use an existing GPU."""
    if not (devices / "nvidia0").exists():
        if args.device == "cuda":
            return Finding("problem", "the configuration requires a GPU, but none was found", "nvidia-smi")
        return Finding("ok", "no NVIDIA GPU: the models run on CPUs")
    # Takes a second to import.
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return Finding("ok", "there is an NVIDIA GPU, and ONNX Runtime is built for CUDA")
    what = "there is an NVIDIA GPU, but ONNX Runtime is not built for CUDA"
    return Finding("problem" if args.device == "cuda" else "warning", what, "pip install onnxruntime-gpu")
