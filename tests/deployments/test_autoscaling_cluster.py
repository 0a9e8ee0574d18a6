"""The autoscaling policy on a Ray cluster of two nodes with a logical GPU each, in a process of its own.

The device is simulated: calls of models take time, but no cores.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from project.root import ROOT
from tests.conftest import SERVED

CLIENTS = 16
SLOW = "liveness-crmnet"

SERVE = """
import base64
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

from deployments import transport

port, clients, slow, config, *photos = sys.argv[1:]
with transport.set_up():
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster
    from ray.serve.context import _get_global_client
    from ray.serve.schema import ServeDeploySchema

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "num_gpus": 1})
    node = cluster.add_node(num_cpus=4, num_gpus=1)
    ray.init(cluster.address)
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": int(port)})
    _get_global_client().deploy_apps(ServeDeploySchema(**json.loads(config)), _blocking=True)

    def replicas():
        details = ray.get(_get_global_client()._controller.get_serve_instance_details.remote())
        deployments = details["applications"]["facegraph"]["deployments"]
        return [(name, each.get("node_id")) for name, of in deployments.items() for each in of["replicas"]]

    names = ("image1", "image2")
    body = {name: base64.b64encode(Path(photo).read_bytes()).decode() for name, photo in zip(names, photos)}
    answered, failed, seen, over = [], [], Counter(), threading.Event()

    def ask():
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            while not over.is_set():
                try:
                    client.post("/match", json=body).raise_for_status()
                    answered.append(time.monotonic())
                except httpx.HTTPError as error:
                    failed.append(repr(error))
                    over.wait(1)

    def watch(until, seconds=120):
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            seen.update(Counter(name for name, _ in replicas()) - seen)
            if until():
                return
            time.sleep(0.5)
        raise TimeoutError(f"{replicas()}, {seen}, {status()}")

    def status():
        stages = httpx.get(f"http://127.0.0.1:{port}/v1/status", trust_env=False, timeout=60).json()["stages"]
        return {stage["deployment"]: stage["autoscaling"] for stage in stages}

    for _ in range(int(clients)):
        threading.Thread(target=ask, daemon=True).start()
    watch(lambda: seen[slow] > 2 and status()[slow]["reason"].startswith("no room"))
    placed, there = replicas(), [name for name, place in replicas() if place == node.node_id]
    before, most = list(failed), dict(seen)
    cluster.remove_node(node, allow_graceful=False)
    lost = time.monotonic()
    watch(lambda: sum(each > lost + 10 for each in answered) > 20)
    over.set()
    print("seen", json.dumps([most, placed, there, before, failed[len(before):]]))
    serve.shutdown()
    ray.shutdown()
    cluster.shutdown()
"""


def config() -> str:
    """The simulated service, which scales within seconds. Liveness is slow: it has no batches."""
    served = yaml.safe_load((ROOT / "configs" / "simulated.yaml").read_text("utf-8"))
    [application] = served["applications"]
    application["autoscaling_policy"] = {
        "policy_function": "deployments.autoscaling_policy:ApplicationPolicy",
        # The cores of this machine count twice, and others use them.
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
        if deployment["name"] == SLOW:
            deployment["user_config"] = {"largest_batch": {"gpu": 1}}
            deployment["autoscaling_config"]["target_ongoing_requests"] = 2
    return json.dumps(served)


@SERVED
@pytest.mark.faults
@pytest.mark.long
def test_only_the_slow_stage_scales_up_to_the_shares_and_survives_a_lost_node(
    sample_photos: Path, tmp_path: Path, lone_port: int
) -> None:
    pair = sorted((sample_photos / "mindy_kaling").glob("*zimbio*"))[:2]
    environment = {**os.environ, "GALLERY_URI": str(tmp_path / "gallery"), "AUDIT_LOG": str(tmp_path / "audit.jsonl")}
    command = [sys.executable, "-c", SERVE, str(lone_port), str(CLIENTS), SLOW, config(), *map(str, pair)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("seen ")]
    seen, placed, there, before, failed = json.loads(line.removeprefix("seen "))
    assert {name for name, most in seen.items() if most > 1} == {SLOW}
    # None waits for a share that no node has.
    assert [node for name, node in placed if name == SLOW and node is None] == []
    assert before == []
    assert SLOW in there
    assert len(failed) <= CLIENTS
