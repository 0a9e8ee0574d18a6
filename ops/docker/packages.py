"""`python packages.py IMAGE requirements.lock` prints the lines of the lock file that an image needs.

The lock file lists for each package which others require it (`# via`).

- ``tools`` downloads and exports models. It has all packages except those for developers.
- ``cpu`` leaves out packages that only an export or an original runtime needs: several GB with CUDA.
- ``gpu`` is ``cpu`` with CUDA and cuDNN for ONNX Runtime.
"""

import re
import sys
from pathlib import Path

PROJECT = "facegraph (pyproject.toml)"
EXPORT = {"facenet-pytorch", "h5py", "onnxscript", "tensorflow", "tf2onnx", "torch", "torchvision"}
"""Dependencies of the project that a service with `engine: onnx` never imports."""
CUDA = {
    # The extras `cuda` and `cudnn` of onnxruntime-gpu. cuDNN requires cuBLAS, and cuFFT nvJitLink.
    "nvidia-cuda-nvrtc",
    "nvidia-cuda-runtime",
    "nvidia-cudnn-cu13",
    "nvidia-cufft",
    "nvidia-curand",
}
ROOTS = {"cpu": set[str](), "gpu": CUDA, "tools": EXPORT}
"""Packages that each image has, with their requirements, in addition to those of ``cpu``."""

_ENTRY = re.compile(r"^(?P<name>[a-z0-9._-]+)==.*\n(?P<via>(?:    #.*\n)*)", re.MULTILINE)


def needed(lock: str, image: str) -> list[str]:
    """The lines of `lock` that `image` needs, in the same order.

    Raises:
        KeyError: the image is unknown.
    """
    roots = ROOTS[image]
    entries = [(entry["name"], entry[0].splitlines()[0], _wanted_by(entry["via"])) for entry in _ENTRY.finditer(lock)]
    kept = {name for name, _, by in entries if name in roots or (PROJECT in by and name not in EXPORT)}
    while more := {name for name, _, by in entries if by & kept} - kept:
        kept |= more
    return [line for name, line, _ in entries if name in kept]


def _wanted_by(via: str) -> set[str]:
    return {line.strip().removeprefix("#").strip().removeprefix("via").strip() for line in via.splitlines()}


if __name__ == "__main__":
    print("\n".join(needed(Path(sys.argv[2]).read_text("utf-8"), sys.argv[1])))
