"""Ray clusters of two nodes, each with a logical GPU, that lose one under load; each in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from project.root import ROOT
from tests.conftest import SERVED

pytestmark = [SERVED, pytest.mark.faults, pytest.mark.long]

SERVE = """
import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import httpx

from deployments import transport
from tests.deployments.traffic import Traffic

port, clients, config, *photos = sys.argv[1:]
address, pair = f"http://127.0.0.1:{port}", tuple(Path(photo).read_bytes() for photo in photos)
with ExitStack() as stack:
    stack.enter_context(transport.set_up())
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster
    from ray.serve.context import _get_global_client
    from ray.serve.schema import ServeDeploySchema

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "num_gpus": 1})
    stack.callback(cluster.shutdown)
    node = cluster.add_node(num_cpus=4, num_gpus=1)
    ray.init(cluster.address)
    stack.callback(ray.shutdown)
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": int(port)})
    stack.callback(serve.shutdown)
    _get_global_client().deploy_apps(ServeDeploySchema(**json.loads(config)), _blocking=True)

    def replicas():
        details = ray.get(_get_global_client()._controller.get_serve_instance_details.remote())
        deployments = details["applications"]["facegraph"]["deployments"]
        return [(name, each.get("node_id")) for name, of in deployments.items() for each in of["replicas"]]

    def lose_a_node():
        there = [name for name, place in replicas() if place == node.node_id]
        cluster.remove_node(node, allow_graceful=False)
        return there
"""
Run = Callable[..., Any]


@pytest.fixture
def run(sample_photos: Path, tmp_path: Path, lone_port: int) -> Run:
    """Serves a configuration, runs a script with `clients` clients, and returns the JSON that it prints last."""

    def run(config: Any, clients: int, script: str) -> Any:
        pair = sorted((sample_photos / "mindy_kaling").glob("*zimbio*"))[:2]
        variables = {"GALLERY_URI": str(tmp_path / "gallery"), "AUDIT_LOG": str(tmp_path / "audit.jsonl")}
        command = [
            sys.executable,
            "-c",
            SERVE + script,
            str(lone_port),
            str(clients),
            json.dumps(config),
            *map(str, pair),
        ]
        environment = {**os.environ, **variables}
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
        [line] = [line for line in ended.stdout.splitlines() if line.startswith("seen ")]
        return json.loads(line.removeprefix("seen "))

    return run


def test_stages_of_a_lost_node_restart_on_the_other(run: Run) -> None:
    models = ("mtcnn", "mediapipe-full-range", "fr-liveness", "mobilefacenet", "facenet")
    roles = ("mtcnn", "mediapipe", "crmnet", "arcface", "facenet")
    args = {"device": "cpu", "stages": {role: {"model": model} for role, model in zip(roles, models, strict=True)}}
    application = {"name": "facegraph", "import_path": "graphs.app:build", "route_prefix": "/", "args": args}
    there, failed, wrong, enrolled = run(
        {"applications": [application]},
        clients := 4,
        """
    traffic = Traffic(address, pair)
    with traffic.by(int(clients)):
        traffic.wait_for(1)
        there = lose_a_node()
        traffic.wait_for(2)
    wrong = [*traffic.wrong, *traffic.lost()]
    print("seen", json.dumps([there, traffic.failed, wrong, len(traffic.acknowledged)]))
""",
    )
    # Requests of the ingress's replica on the lost node may fail.
    assert len(failed) <= clients
    assert (bool(there), wrong, enrolled > 0) == (True, [], True)


def scaling(slow: str) -> Any:
    """The simulated service, which scales within seconds: calls take time, but no cores. `slow` has no batches."""
    served = yaml.safe_load((ROOT / "configs" / "simulated.yaml").read_text("utf-8"))
    [application] = served["applications"]
    application["autoscaling_policy"] = {
        "policy_function": "deployments.autoscaling_policy:ApplicationPolicy",
        # Both nodes count the cores of this machine, which other programs use as well.
        "policy_kwargs": {"cores": "reserved"},
    }
    application["args"]["simulation"] = {"call_ms": 300}
    application["args"]["stages"]["crmnet"]["gpus"] = 0.4
    for deployment in application["deployments"]:
        if not deployment["name"].startswith("gallery"):
            deployment["autoscaling_config"] = {
                **{"min_replicas": 1, "max_replicas": 8, "target_ongoing_requests": 32},
                **{"metrics_interval_s": 0.5, "look_back_period_s": 3, "upscale_delay_s": 2, "downscale_delay_s": 60},
            }
        if deployment["name"] == slow:
            deployment["user_config"] = {"largest_batch": {"gpu": 1}}
            deployment["autoscaling_config"]["target_ongoing_requests"] = 2
    return served


def test_only_the_slow_stage_scales_up_to_the_shares_and_survives_a_lost_node(run: Run) -> None:
    slow = "liveness-crmnet"
    most, placed, there, before, failed = run(
        scaling(slow),
        clients := 16,
        """
    # The answers mean nothing, so each is a wrong one.
    seen, slow, traffic = Counter(), "liveness-crmnet", Traffic(address, pair, kinds=("/match",))

    def watch(until, seconds=120):
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            seen.update(Counter(name for name, _ in replicas()) - seen)
            if until():
                return
            time.sleep(0.5)
        raise TimeoutError(f"{replicas()}, {seen}, {status()}")

    def status():
        stages = httpx.get(f"{address}/v1/status", trust_env=False, timeout=60).json()["stages"]
        return {stage["deployment"]: stage["autoscaling"] for stage in stages}

    with traffic.by(int(clients)):
        watch(lambda: seen[slow] > 2 and status()[slow]["reason"].startswith("no room"))
        placed, before, most = replicas(), list(traffic.failed), dict(seen)
        there, lost = lose_a_node(), time.monotonic()
        watch(lambda: time.monotonic() > lost + 10)
        answered = len(traffic.wrong)
        watch(lambda: len(traffic.wrong) > answered + 20)
    print("seen", json.dumps([most, placed, there, before, traffic.failed[len(before):]]))
""",
    )
    assert {name for name, count in most.items() if count > 1} == {slow}
    # No replica waits for a share of a GPU that no node has.
    assert [node for name, node in placed if name == slow and node is None] == []
    assert before == []
    assert slow in there
    assert len(failed) <= clients
