"""A Ray cluster of two nodes that loses one of them under load, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from project.root import ROOT
from tests.conftest import SERVED

CLIENTS = 4

SERVE = """
import json
import sys
from pathlib import Path

from deployments import transport
from tests.deployments.traffic import Traffic

port, clients, *photos = sys.argv[1:]
with transport.set_up():
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster
    from ray.util.state import list_actors

    from graphs.app import build
    from graphs.settings import AppArgs

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4})
    node = cluster.add_node(num_cpus=4)
    ray.init(cluster.address)
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": int(port)})
    models = ("mtcnn", "mediapipe-full-range", "fr-liveness", "mobilefacenet", "facenet")
    roles = ("mtcnn", "mediapipe", "crmnet", "arcface", "facenet")
    stages = {role: {"model": model} for role, model in zip(roles, models)}
    serve.run(build(AppArgs(device="cpu", stages=stages)), name="facegraph", route_prefix="/")

    def replicas():
        actors = list_actors(filters=[("state", "=", "ALIVE")], detail=True, limit=1000)
        return {actor.name: actor.node_id for actor in actors if "ServeReplica" in actor.class_name}

    traffic = Traffic(f"http://127.0.0.1:{port}", tuple(Path(photo).read_bytes() for photo in photos))
    with traffic.by(int(clients)):
        traffic.wait_for(1)
        there = [name for name, place in replicas().items() if place == node.node_id]
        cluster.remove_node(node, allow_graceful=False)
        traffic.wait_for(2)
    wrong = [*traffic.wrong, *traffic.lost()]
    print("lost", json.dumps([there, traffic.failed, wrong, len(traffic.acknowledged)]))
    serve.shutdown()
    ray.shutdown()
    cluster.shutdown()
"""


@SERVED
@pytest.mark.faults
@pytest.mark.long
def test_stages_of_a_lost_node_restart_on_the_other(sample_photos: Path, tmp_path: Path, lone_port: int) -> None:
    pair = sorted((sample_photos / "mindy_kaling").glob("*zimbio*"))[:2]
    environment = {**os.environ, "GALLERY_URI": str(tmp_path / "gallery"), "AUDIT_LOG": str(tmp_path / "audit.jsonl")}
    command = [sys.executable, "-c", SERVE, str(lone_port), str(CLIENTS), *map(str, pair)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("lost ")]
    there, failed, wrong, enrolled = json.loads(line.removeprefix("lost "))
    # Requests of the ingress's replica on the lost node may fail.
    assert len(failed) <= CLIENTS
    assert (bool(there), wrong, enrolled > 0) == (True, [], True)
