"""The service while its processes are killed or hang, its configuration changes, or its files are missing."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from deployments.guard import MARK
from gallery.location import Location
from gallery.reading.reader import Reader
from project.root import ROOT
from tests import own_networks
from tests.deployments.traffic import Traffic, replica
from tests.live_service import LiveService, command
from tests.service_files import PLACES, ServiceFiles
from tests.waiting import until

CLIENTS = 4

pytestmark = pytest.mark.faults


@pytest.fixture
def traffic(server: LiveService, mindy: bytes, mindy_again: bytes) -> Traffic:
    return Traffic(server.address, (mindy, mindy_again))


@pytest.mark.parametrize(
    ("name", "most_failed"),
    [
        # Calls that change nothing are repeated on another replica.
        (replica("detector-mtcnn"), 0),
        pytest.param(replica("liveness-crmnet"), 0, marks=pytest.mark.long),
        pytest.param(replica("embedder-"), 0, marks=pytest.mark.long),
        pytest.param(replica("gallery-reader"), 0, marks=pytest.mark.long),
        # Enrolments are not repeated: whether the first attempt succeeded is unknown.
        (replica("gallery-writer"), CLIENTS),
        (replica("ingress"), CLIENTS),
        pytest.param("ServeController", 0, marks=pytest.mark.long),
        # Until HAProxy is restarted, connections are refused, as often as the clients try.
        pytest.param("haproxy/bin", sys.maxsize, marks=pytest.mark.long),
    ],
)
def test_killed_process_fails_only_its_own_requests(
    server: LiveService, traffic: Traffic, name: str, most_failed: int
) -> None:
    with traffic.by(CLIENTS):
        traffic.wait_for(1)
        server.kill(name)
        traffic.wait_for(3)
    assert len(traffic.failed) <= most_failed, traffic.failed
    assert traffic.wrong == []


@contextmanager
def stopped(server: LiveService, name: str) -> Iterator[None]:
    """Stop the processes whose command line contains `name` until the block ends."""
    processes = server.processes(name)
    assert processes
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def test_hanging_stage_delays_only_its_own_requests(server: LiveService, traffic: Traffic) -> None:
    answers: list[httpx.Response] = []
    with httpx.Client(base_url=server.address, timeout=60) as client:
        waiting = threading.Thread(target=lambda: answers.append(traffic.post(client, "/mediapipe")))
        with stopped(server, replica("detector-mediapipe")):
            waiting.start()
            for _ in range(3):
                assert traffic.post(client, "/compare").status_code == 200
            assert not answers
        waiting.join()
    assert [answer.status_code for answer in answers] == [200]


@pytest.mark.long
def test_disconnected_clients_free_their_places(server: LiveService, traffic: Traffic) -> None:
    def disconnect() -> None:
        with suppress(httpx.TransportError), httpx.Client(base_url=server.address, timeout=10) as client:
            traffic.post(client, "/mediapipe")

    with stopped(server, replica("detector-mediapipe")), httpx.Client(base_url=server.address, timeout=60) as client:
        threads = [threading.Thread(target=disconnect) for _ in range(5 * PLACES)]
        for thread in threads:
            thread.start()
        until(lambda: traffic.post(client, "/compare").status_code == 503)
        for thread in threads:
            thread.join()
        until(lambda: traffic.post(client, "/compare").status_code == 200)


@pytest.mark.long
def test_changed_configuration_is_rolled_out_under_load(
    server: LiveService, traffic: Traffic, service_files: ServiceFiles
) -> None:
    config = yaml.safe_load(service_files.config.read_text("utf-8"))
    [application] = config["applications"]
    application["args"]["stages"]["facenet"]["workers"] = 1
    ingress = next(each for each in application["deployments"] if each["name"] == "ingress")
    ingress["user_config"] = {"similarity_threshold": 0.5}
    before = set(server.processes(replica("embedder-facenet")))
    with traffic.by(CLIENTS), httpx.Client(base_url=server.address, timeout=60) as client:
        traffic.wait_for(1)
        deploy(config, service_files)
        until(lambda: before.isdisjoint(server.processes(replica("embedder-facenet"))))
        until(lambda: traffic.post(client, "/match").json()["threshold"] == 0.5)
        traffic.wait_for(1)
    assert (traffic.failed, traffic.wrong) == ([], [])


def deploy(config: Any, service_files: ServiceFiles) -> None:
    """Apply a changed configuration to the running service."""
    changed = service_files.folder / "changed.yaml"
    changed.write_text(yaml.safe_dump(config), "utf-8")
    [dashboard] = re.findall(r"dashboard at \S*?(http://[\d.]+:\d+)", service_files.log.read_text("utf-8", "replace"))
    serve = Path(sys.executable).with_name("serve")
    # The cluster requires Ray's token, which is in the home folder.
    environment = {**os.environ, "RAY_AUTH_MODE": "token"}
    subprocess.run([serve, "deploy", changed, "--address", dashboard], check=True, cwd=ROOT, env=environment)


def test_own_networks_join_a_running_service_by_their_cards_and_files_alone(
    server: LiveService, service_files: ServiceFiles, mindy: bytes
) -> None:
    own_networks.write(service_files.cards)
    variables = {"MODEL_CARDS": str(service_files.cards), "MODEL_STORE": str(service_files.models)}
    command_line = [sys.executable, "-m", "facegraph", "models", "pull", *own_networks.NAMES]
    subprocess.run(command_line, check=True, cwd=ROOT, env={**os.environ, **variables})
    config = yaml.safe_load(service_files.config.read_text("utf-8"))
    stages = config["applications"][0]["args"]["stages"]
    stages |= {name: {"model": name, "cpus": 0.05, "gpus": 0} for name in own_networks.NAMES}
    deploy(config, service_files)
    with httpx.Client(base_url=server.address, timeout=60) as client:
        until(lambda: "own-embedder" in client.get("/v1/models").json()["embedders"], 90)
        options = {"embedder": "own-embedder", "liveness": "report", "liveness_network": "own-liveness"}
        found = client.post("/v1/embed", files={"photo": mindy}, params=options).json()
    [face] = found["faces"]
    assert len(face["embedding"]["values"]) == 64
    assert face["liveness"]["live"]
    assert (found["models"]["embedder"], found["models"]["liveness"]) == own_networks.NAMES


def test_killed_service_leaves_no_process_and_every_acknowledged_face(
    server: LiveService, traffic: Traffic, service_files: ServiceFiles
) -> None:
    with traffic.by(CLIENTS):
        traffic.wait_for(1)
        processes = server.processes()
        # A restarted writer creates no gallery in place of an unmounted one, because it sees this variable.
        [writer] = server.processes(replica("gallery-writer"))
        assert MARK in psutil.Process(writer).environ()
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not any(map(command, processes)))
    faces, _ = asyncio.run(enrolled(service_files))
    assert traffic.acknowledged.keys() <= faces.keys()


async def enrolled(files: ServiceFiles) -> tuple[dict[str, int], Path]:
    """The number of faces of each subject, read from the files, and the folder of the collection's table."""
    reader = Reader(Location(str(files.gallery)), 0)
    collection = await reader.collection("traffic")
    faces = {each.id: each.faces for each in await reader.subjects("traffic", "", None)}
    return faces, files.gallery / f"{collection.table}.lance"


@pytest.mark.long
def test_service_restarts_on_a_damaged_gallery_and_reports_missing_files(
    server: LiveService, service_files: ServiceFiles, mindy: bytes, mindy_again: bytes
) -> None:
    # The test above has killed the session's service, unless this one runs alone.
    processes = server.processes()
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not any(map(command, processes)))
    with service_files.start() as first:
        traffic = Traffic(first.address, (mindy, mindy_again), kinds=("enrol",))
        with traffic.by(CLIENTS):
            traffic.wait_for(3)
            os.kill(first.pid, signal.SIGKILL)
    # The last commit is cut off, as by a power failure.
    _, table = asyncio.run(enrolled(service_files))
    newest = min((table / "_versions").glob("*.manifest"))
    os.truncate(newest, newest.stat().st_size // 2)
    with service_files.start() as again:
        faces, _ = asyncio.run(enrolled(service_files))
        assert set(faces.values()) == {1}
        lost = traffic.acknowledged.keys() - faces.keys()
        assert len(lost) <= 1
        traffic.address = again.address
        assert traffic.lost() == lost
        assert "at its last intact version" in service_files.log.read_text("utf-8", "replace")
        for path in (next((service_files.models / "facenet").glob("*.onnx")), table, service_files.gallery):
            path.rename(path.with_suffix(".away"))
            until(lambda: health(again.address)["status"] == "degraded")
            path.with_suffix(".away").rename(path)
            until(lambda: health(again.address)["status"] == "healthy")


def health(address: str) -> Any:
    return httpx.get(f"{address}/health", timeout=30).json()
