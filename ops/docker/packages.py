"""Which of the locked packages an image needs: `python packages.py IMAGE requirements.lock` prints their lines.

The lock says below each package which others want it (`# via`). From there:

- ``tools`` has all that the project itself wants, so not the developers' packages: it fetches and exports models.
- ``cpu`` leaves out what only an export or a network in its original runtime needs, several GB with CUDA.
- ``gpu`` is ``cpu`` with the CUDA and cuDNN that ONNX Runtime loads.
"""

import re
import sys
from pathlib import Path

PROJECT = "facegraph (pyproject.toml)"
EXPORT = {"facenet-pytorch", "h5py", "onnxscript", "tensorflow", "tf2onnx", "torch", "torchvision"}
"""Of the project's own dependencies, those that a service with `engine: onnx` never imports."""
CUDA = {
    # As the extras `cuda` and `cudnn` of onnxruntime-gpu have them; cuDNN wants cuBLAS, and cuFFT nvJitLink.
    "nvidia-cuda-nvrtc",
    "nvidia-cuda-runtime",
    "nvidia-cudnn-cu13",
    "nvidia-cufft",
    "nvidia-curand",
}
ROOTS = {"cpu": set[str](), "gpu": CUDA, "tools": EXPORT}
"""What each image has beyond the least of all, with all that it wants."""

_ENTRY = re.compile(r"^(?P<name>[a-z0-9._-]+)==.*\n(?P<via>(?:    #.*\n)*)", re.MULTILINE)


def needed(lock: str, image: str) -> list[str]:
    """The lines of `lock` that `image` needs, in their order.

    Raises:
        KeyError: there is no such image.
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
