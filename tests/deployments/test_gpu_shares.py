"""GPU shares on a cluster that declares GPUs, in a process and a Ray cluster of their own.

The GPUs are logical: the scheduling is real, and the networks find no CUDA and run on the CPU.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

SERVE = """
import json
import ray
from ray import serve
from graphs.app import build
from graphs.settings import AppArgs

ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False)
serve.start(proxy_location="Disabled")
stage = {"cpus": 0.2}
args = AppArgs.model_validate({
    "device": "auto",
    "detectors": {"mtcnn": {"model": "mtcnn", "gpus": 0.25, **stage}},
    "liveness": {"crmnet": {"model": "fr-liveness", "gpus": 0.5, **stage}},
    "embedders": {
        "arcface": {"model": "mobilefacenet", "gpus": 0.4, **stage},
        "facenet": {"model": "facenet", "gpus": 0, **stage},
    },
})
serve.run(build(args), name="facegraph", route_prefix="/")
used = ray.cluster_resources()["GPU"] - ray.available_resources().get("GPU", 0)
states = {name: d.status.value for name, d in serve.status().applications["facegraph"].deployments.items()}
print("placed", json.dumps({"used": used, "states": states}))
"""


@pytest.mark.long
def test_each_stage_takes_its_share_of_the_declared_gpus(tmp_path: Path) -> None:
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "GALLERY_URI": str(tmp_path / "gallery")}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, "-c", SERVE], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Ray writes its own lines there too.
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("placed "))
    answer = json.loads(line.removeprefix("placed "))
    assert answer["states"] == dict.fromkeys(
        [
            "detector-mtcnn",
            "liveness-crmnet",
            "embedder-arcface",
            "embedder-facenet",
            "gallery-writer",
            "gallery-reader",
            "ingress",
        ],
        "HEALTHY",
    )
    assert abs(answer["used"] - (0.25 + 0.5 + 0.4)) < 1e-6
