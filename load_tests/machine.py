"""The machine that a measurement ran on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psutil

PACKAGES = {"facenet-pytorch", "fastapi", "mediapipe", "numpy", "onnxruntime", "onnxruntime-gpu", "ray", "torch"}


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def described() -> dict[str, Any]:
    """CPU, memory, load, versions and time, for a JSON file."""
    models = [line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(": ")[2] if models else "unknown",
        "cores": cores(),
        "memory_mib": psutil.virtual_memory().total // 2**20,
        "load_average_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {each.name: each.version for each in distributions() if each.name in PACKAGES},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
