"""The benchmark of networks on GPUs, on the CPU and with one engine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from project.root import ROOT
from tests.conftest import pulled

SCRIPT = """
import sys
from importlib.util import find_spec
from pathlib import Path
from load_tests import results
from load_tests.gpu import __main__ as benchmark, runtimes
assert not {"torch", "onnxruntime", "ray"} & set(sys.modules)
hidden, network, folder = sys.argv[1:]
runtimes.find_spec = lambda package: None if package == hidden else find_spec(package)
benchmark.RESULTS = results.RESULTS = Path(folder)
benchmark.THREADS = (2,)
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
    # fr-eyes has no original in PyTorch.
    assert ("fr-eyes" in rows) == (hidden == "torch")
    assert written["input"] == "8 sample photos"
    # The pipeline's embedder has none either.
    assert [rate["detector"] for rate in written["pipelines"]] == ["mtcnn, onnx on cpu"] * (hidden == "torch")
    problems = [
        line for line in written["missing"] if line.startswith("pipeline, torch on cpu: mobilefacenet does not")
    ]
    assert len(problems) == (hidden == "onnxruntime")
    assert (tmp_path / "gpu.png").stat().st_size
