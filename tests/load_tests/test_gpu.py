"""The benchmark of networks on GPUs: which engines it finds, how it compares answers, and what it writes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imaging.faces import Face
from load_tests.gpu.parity import parity
from load_tests.gpu.runtimes import RUNTIMES, Installed
from project.root import ROOT
from tests.conftest import pulled

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
ON_CUDA = ["onnx-float32 on cuda", "onnx-float16 on cuda"]


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        (
            Installed("NVIDIA H200", [TENSORRT, CUDA], "13.0"),
            ["onnx on cpu", "torch on cpu", *ON_CUDA, "tensorrt on cuda", "torch on cuda"],
        ),
        (Installed("NVIDIA H200", [CUDA], None), ["onnx on cpu", *ON_CUDA]),
        (Installed("NVIDIA H200", None, "13.0"), ["torch on cpu", "torch on cuda"]),
        (Installed("", [TENSORRT, CUDA], ""), ["onnx on cpu", "torch on cpu"]),
        (Installed("NVIDIA H200", ["CPUExecutionProvider"], ""), ["onnx on cpu", "torch on cpu"]),
        (Installed("", None, None), []),
    ],
)
def test_the_engines_that_a_machine_has(machine: Installed, found: list[str]) -> None:
    assert [str(runtime) for runtime in RUNTIMES if not machine.lacks(runtime)] == found


def face(left: float, right: float) -> Face:
    return Face((left, 0, right, 10), 1.0, np.zeros((5, 2), np.float32))


@pytest.mark.parametrize(
    ("expected", "found", "overlap"),
    [
        ([[face(0, 10), face(20, 30)]], [[face(20, 30), face(0, 10)]], 1),
        ([[face(0, 10)], [face(0, 10)]], [[face(0, 10)], [face(5, 15)]], 1 / 3),
        # A face that only one of both finds.
        ([[face(0, 10)]], [[]], 0),
        ([[face(0, 10)]], [[face(0, 10), face(20, 30)]], 0),
        ([[], []], [[], []], None),
    ],
)
def test_detectors_differ_by_the_worst_match(
    expected: list[list[Face]], found: list[list[Face]], overlap: float | None
) -> None:
    assert parity("detector", expected, found) == (overlap if overlap is None else pytest.approx(overlap))


def test_other_networks_differ_by_the_largest_difference() -> None:
    one = np.array([[1, 0], [0, 2]], np.float32)
    assert parity("embedder", one, np.array([[2, 0], [1, 1]], np.float32)) == pytest.approx(1 - 0.5**0.5)
    assert parity("pose", one, one + np.array([[0, 0.5], [-3, 0]], np.float32)) == 3


SCRIPT = """
import sys
from importlib.util import find_spec
from pathlib import Path
from load_tests.gpu import __main__ as benchmark, runtimes
assert not {"torch", "onnxruntime", "ray"} & set(sys.modules)
hidden, network, folder = sys.argv[1:]
runtimes.find_spec = lambda package: None if package == hidden else find_spec(package)
benchmark.RESULTS, benchmark.THREADS = Path(folder), (2,)
benchmark.main([network, "fr-eyes"], 2, 0.0)
assert hidden not in sys.modules
"""


@pytest.mark.parametrize(
    ("hidden", "network", "runtime"),
    [("torch", "mobilefacenet", "onnx on cpu"), ("onnxruntime", "minifasnet", "torch on cpu")],
)
def test_one_engine_is_enough(tmp_path: Path, hidden: str, network: str, runtime: str) -> None:
    for name in (network, "fr-eyes", "mobilefacenet", "mtcnn"):
        pulled(name)
    command = [sys.executable, "-c", SCRIPT, hidden, network, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    written = json.loads((tmp_path / "gpu.json").read_text("utf-8"))
    rows = {row["network"]: row for row in written["networks"]}
    assert rows[network]["runtime"] == runtime
    assert rows[network]["difference"] == pytest.approx(0, abs=1e-6)
    assert rows[network]["batches"].keys() == {"1", "2"}
    # It has no original in PyTorch.
    assert ("fr-eyes" in rows) == (hidden == "torch")
    assert written["input"] == "8 sample photos"
    # The pipeline's embedder has none either.
    assert [rate["detector"] for rate in written["pipelines"]] == ["mtcnn, onnx on cpu"] * (hidden == "torch")
    problems = [
        line for line in written["missing"] if line.startswith("pipeline, torch on cpu: mobilefacenet does not")
    ]
    assert len(problems) == (hidden == "onnxruntime")
    assert (tmp_path / "gpu.png").stat().st_size
