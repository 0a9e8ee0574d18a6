"""The service when things go wrong: its processes are killed or hang, its configuration changes, its files go away."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gallery.location import Location
from gallery.reader import Reader
from project.root import ROOT
from tests.deployments.traffic import Traffic, kill, replica
from tests.live_service import LiveService, command
from tests.service_files import PLACES, TIMEOUT_S, ServiceFiles
from tests.waiting import until

CLIENTS = 8

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def traffic(server: LiveService, sample_photos: Path) -> Traffic:
    first, second, *_ = sorted((sample_photos / "mindy_kaling").glob("*zimbio*"))
    return Traffic(server.address, (first.read_bytes(), second.read_bytes()))


@pytest.mark.parametrize(
    ("name", "most"),
    [
        # What ran there is asked of another one.
        (replica("detector-mtcnn"), 0),
        pytest.param(replica("liveness-crmnet"), 0, marks=pytest.mark.long),
        pytest.param(replica("embedder-"), 0, marks=pytest.mark.long),
        pytest.param(replica("gallery-reader"), 0, marks=pytest.mark.long),
        # An enrolment is not: who sent it cannot know whether it was done, and has to send it again.
        (replica("gallery-writer"), CLIENTS),
        (replica("ingress"), CLIENTS),
        pytest.param("ServeController", 0, marks=pytest.mark.long),
    ],
)
def test_a_killed_process_costs_what_ran_in_it(server: LiveService, traffic: Traffic, name: str, most: int) -> None:
    with traffic.by(CLIENTS):
        traffic.wait_for(1)
        outcome = kill(server, traffic, name)
    assert outcome.failed <= most, outcome.causes
    assert outcome.wrong == 0


@pytest.mark.long
def test_haproxy_is_started_again(server: LiveService, traffic: Traffic) -> None:
    # Connections are refused meanwhile: how many depends on the clients alone.
    with traffic.by(1):
        assert kill(server, traffic, "haproxy/bin").wrong == 0


@contextmanager
def hanging(server: LiveService, name: str) -> Iterator[None]:
    """Stop the processes of that name for the time of the block."""
    stopped = server.processes(name)
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_a_stage_that_hangs_delays_nobody_else(server: LiveService, traffic: Traffic) -> None:
    asked: list[httpx.Response] = []
    with hanging(server, replica("detector-mediapipe")), httpx.Client(base_url=server.address, timeout=60) as client:
        waiting = threading.Thread(target=lambda: asked.append(traffic.post(client, "/mediapipe")))
        waiting.start()
        for _ in range(5):
            assert traffic.post(client, "/compare").status_code == 200
        assert not asked
        waiting.join()
    [answer] = asked
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert f"longer than {TIMEOUT_S} seconds" in answer.text


@pytest.mark.long
def test_who_hangs_up_makes_room(server: LiveService, traffic: Traffic) -> None:
    with hanging(server, replica("detector-mediapipe")), httpx.Client(base_url=server.address, timeout=60) as client:
        impatient = [threading.Thread(target=hang_up, args=(server, traffic)) for _ in range(5 * PLACES)]
        for thread in impatient:
            thread.start()
        until(lambda: traffic.post(client, "/compare").status_code == 503, 60)
        for thread in impatient:
            thread.join()
        until(lambda: traffic.post(client, "/compare").status_code == 200, 60)


def hang_up(server: LiveService, traffic: Traffic) -> None:
    """Ask, and close the connection after ten seconds without an answer."""
    with httpx.Client(base_url=server.address, timeout=10) as client:
        try:
            traffic.post(client, "/mediapipe")
        except httpx.TransportError:
            return


@pytest.mark.long
def test_a_changed_configuration_is_rolled_out_under_load(
    server: LiveService, traffic: Traffic, service_files: ServiceFiles
) -> None:
    config = yaml.safe_load(service_files.config.read_text("utf-8"))
    [application] = config["applications"]
    application["args"]["embedders"]["facenet"]["workers"] = 1
    next(each for each in application["deployments"] if each["name"] == "ingress")["user_config"] = {
        "similarity_threshold": 0.5
    }
    changed = service_files.folder / "changed.yaml"
    changed.write_text(yaml.safe_dump(config), "utf-8")
    before = set(server.processes(replica("embedder-facenet")))
    failed = len(traffic.failed)
    with traffic.by(CLIENTS), httpx.Client(base_url=server.address, timeout=60) as client:
        traffic.wait_for(1)
        serve = Path(sys.executable).with_name("serve")
        # The cluster that `ray.init` starts asks for a token, which lies in the home folder.
        environment = {**os.environ, "RAY_AUTH_MODE": "token"}
        command = [str(serve), "deploy", str(changed), "--address", dashboard(service_files)]
        subprocess.run(command, check=True, cwd=ROOT, env=environment)
        until(lambda: before.isdisjoint(server.processes(replica("embedder-facenet"))), 60)
        until(lambda: traffic.post(client, "/match").json()["threshold"] == 0.5, 60)
        traffic.wait_for(1)
    assert traffic.failed[failed:] == []
    assert traffic.wrong == []


def dashboard(files: ServiceFiles) -> str:
    log = files.log.read_text("utf-8", "replace")
    [address] = re.findall(r"dashboard at \S*?(http://[\d.]+:\d+)", log)
    return str(address)


def test_the_whole_service_ends_with_its_main_process_and_nothing_acknowledged_is_lost(
    server: LiveService, traffic: Traffic, service_files: ServiceFiles
) -> None:
    with traffic.by(CLIENTS):
        traffic.wait_for(1)
        processes = server.processes()
        os.kill(server.pid, signal.SIGKILL)
        # Nothing outlives the main process.
        until(lambda: not any(map(command, processes)), 30)
    # And the machine lost power in the middle of the last commit.
    there, table = asyncio.run(enrolled(service_files))
    acknowledged = traffic.acknowledged.keys()
    assert acknowledged <= there.keys()
    newest = min((table / "_versions").glob("*.manifest"))
    os.truncate(newest, newest.stat().st_size // 2)
    with service_files.start() as again:
        there, _ = asyncio.run(enrolled(service_files))
        assert set(there.values()) == {1}
        lost = acknowledged - there.keys()
        assert len(lost) <= 1
        # What was written but not acknowledged may be there as well, one request a client and kill at most.
        assert len(there.keys() - acknowledged) <= 4 * CLIENTS
        assert set(traffic.at(again.address).lost()) == lost
        assert "at its last intact version" in service_files.log.read_text("utf-8", "replace")
        check_health_tells_the_truth(service_files, table, again)


async def enrolled(files: ServiceFiles) -> tuple[dict[str, int], Path]:
    """How many faces each subject has, read from the files, and the folder that they are in."""
    reader = Reader(Location(str(files.gallery)), 0)
    collection = await reader.collection("traffic")
    faces = {each.id: each.faces for each in await reader.subjects(collection, "", None)}
    return faces, files.gallery / f"{collection.table}.lance"


def check_health_tells_the_truth(files: ServiceFiles, table: Path, server: LiveService) -> None:
    """Take away a model, a table, and the whole gallery, and give them back."""
    model = next((files.models / "facenet").glob("*.onnx"))
    cases: list[tuple[Path, Callable[[Any], bool]]] = [
        (model, lambda found: bool(found["models"]["facenet"]) and bool(found["model_loaded"])),
        (table, lambda found: found["unreadable_collections"] == 0),
        (files.gallery, lambda found: bool(found["database_connected"])),
    ]
    for path, is_well in cases:
        path.rename(path.with_suffix(".away"))

        def told(is_well: Callable[[Any], bool] = is_well) -> bool:
            found = health(server.address)
            return found["status"] == "degraded" and not is_well(found)

        # The stages are watched in the background, and the gallery's tables every ten seconds.
        until(told, 60)
        path.with_suffix(".away").rename(path)
        until(lambda: bool(health(server.address)["status"] == "healthy"), 60)


def health(address: str) -> Any:
    return httpx.get(f"{address}/health", timeout=30).json()
