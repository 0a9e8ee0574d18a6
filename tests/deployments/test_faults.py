"""The service when things go wrong: its processes are killed or hang, its configuration changes, its files go away."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gallery.place import Place
from gallery.reader import Reader
from graphs.settings import ROOT
from load_tests.faults import OTHERS, kill, replica
from load_tests.photos import Photo
from load_tests.server import Server, served
from load_tests.traffic import Traffic
from models.store import DEFAULT_STORE

CLIENTS = 8
PLACES = 16
"""Requests that an ingress replica of this service works on at once; the load before may have left two of them."""
TIMEOUT_S = 20
"""Seconds a request may take in this service: longer than a replica needs to start."""

pytestmark = pytest.mark.faults


@dataclass
class Files:
    """Where the service has its files: a gallery, and models that are links to the real ones."""

    folder: Path
    config: Path

    def start(self) -> Any:
        variables = {"GALLERY_URI": str(self.folder / "gallery"), "REQUEST_TIMEOUT": str(TIMEOUT_S)}
        return served(str(self.config), self.folder / "log", **variables)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("faults")
    config = yaml.safe_load((ROOT / "configs" / "serve.yaml").read_text("utf-8"))
    [application] = config["applications"]
    application["args"]["models_dir"] = str(folder / "models")
    application["args"]["limits"] = {"max_requests": PLACES}
    for path in DEFAULT_STORE.rglob("*"):
        if path.is_file():
            link = folder / "models" / path.relative_to(DEFAULT_STORE)
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
    (folder / "serve.yaml").write_text(yaml.safe_dump(config), "utf-8")
    return Files(folder, folder / "serve.yaml")


@pytest.fixture(scope="module")
def server(files: Files) -> Iterator[Server]:
    with files.start() as server:
        yield server


@pytest.fixture(scope="module")
def traffic(server: Server, sample_photos: Path) -> Traffic:
    first, second, *_ = sorted((sample_photos / "mindy_kaling").glob("*zimbio*"))
    return Traffic(server.address, (Photo.read(first), Photo.read(second)))


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
def test_a_killed_process_costs_what_ran_in_it(server: Server, traffic: Traffic, name: str, most: int) -> None:
    with traffic.by(CLIENTS):
        traffic.wait_for(1)
        outcome = kill(server, traffic, name)
    assert outcome.failed <= most, outcome.causes
    assert outcome.wrong == 0


@pytest.mark.long
def test_haproxy_is_started_again(server: Server, traffic: Traffic) -> None:
    # Connections are refused meanwhile: how many depends on the clients alone.
    with traffic.by(1):
        assert kill(server, traffic, OTHERS[0]).wrong == 0


@contextmanager
def hanging(server: Server, name: str) -> Iterator[None]:
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


def test_a_stage_that_hangs_delays_nobody_else(server: Server, traffic: Traffic) -> None:
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
def test_who_hangs_up_makes_room(server: Server, traffic: Traffic) -> None:
    with hanging(server, replica("detector-mediapipe")), httpx.Client(base_url=server.address, timeout=60) as client:
        impatient = [threading.Thread(target=hang_up, args=(server, traffic)) for _ in range(5 * PLACES)]
        for thread in impatient:
            thread.start()
        until(lambda: traffic.post(client, "/compare").status_code == 503)
        for thread in impatient:
            thread.join()
        until(lambda: traffic.post(client, "/compare").status_code == 200)


def hang_up(server: Server, traffic: Traffic) -> None:
    """Ask, and close the connection after ten seconds without an answer."""
    with httpx.Client(base_url=server.address, timeout=10) as client:
        try:
            traffic.post(client, "/mediapipe")
        except httpx.TransportError:
            return


@pytest.mark.long
def test_a_changed_configuration_is_rolled_out_under_load(server: Server, traffic: Traffic, files: Files) -> None:
    config = yaml.safe_load(files.config.read_text("utf-8"))
    [application] = config["applications"]
    application["args"]["embedders"]["facenet"]["workers"] = 1
    next(each for each in application["deployments"] if each["name"] == "ingress")["user_config"] = {
        "similarity_threshold": 0.5
    }
    changed = files.folder / "changed.yaml"
    changed.write_text(yaml.safe_dump(config), "utf-8")
    before = set(server.processes(replica("embedder-facenet")))
    failed = len(traffic.failed)
    with traffic.by(CLIENTS), httpx.Client(base_url=server.address, timeout=60) as client:
        traffic.wait_for(1)
        serve = Path(sys.executable).with_name("serve")
        # The cluster that `ray.init` starts asks for a token, which lies in the home folder.
        environment = {**os.environ, "RAY_AUTH_MODE": "token"}
        command = [str(serve), "deploy", str(changed), "--address", dashboard(files)]
        subprocess.run(command, check=True, cwd=ROOT, env=environment)
        until(lambda: before.isdisjoint(server.processes(replica("embedder-facenet"))))
        until(lambda: traffic.post(client, "/match").json()["threshold"] == 0.5)
        traffic.wait_for(1)
    assert traffic.failed[failed:] == []
    assert traffic.wrong == []


def dashboard(files: Files) -> str:
    log = (files.folder / "log").read_text("utf-8", "replace")
    [address] = re.findall(r"dashboard at \S*?(http://[\d.]+:\d+)", log)
    return str(address)


def until(what: Callable[[], bool]) -> None:
    last = time.monotonic() + 60
    while not what():
        assert time.monotonic() < last
        time.sleep(0.3)


def test_nothing_acknowledged_is_lost_with_the_whole_service(server: Server, traffic: Traffic, files: Files) -> None:
    with traffic.by(CLIENTS):
        traffic.wait_for(1)
        assert server.kill()
    # And the machine lost power in the middle of the last commit.
    there = asyncio.run(enrolled(files))
    acknowledged = traffic.acknowledged.keys()
    assert acknowledged <= there.keys()
    [table] = (files.folder / "gallery").glob("faces-*.lance")
    newest = min((table / "_versions").glob("*.manifest"))
    os.truncate(newest, newest.stat().st_size // 2)
    with files.start() as again:
        there = asyncio.run(enrolled(files))
        assert set(there.values()) == {1}
        lost = acknowledged - there.keys()
        assert len(lost) <= 1
        # What was written but not acknowledged may be there as well, one request a client and kill at most.
        assert len(there.keys() - acknowledged) <= 4 * CLIENTS
        assert set(traffic.at(again.address).lost()) == lost
        assert "was opened at its last whole version" in (files.folder / "log").read_text("utf-8", "replace")
        check_health_tells_the_truth(files, again)


async def enrolled(files: Files) -> dict[str, int]:
    """How many faces each subject has, read from the files."""
    reader = Reader(Place(str(files.folder / "gallery")), 0)
    return {each.id: each.faces for each in await reader.subjects(await reader.collection("traffic"), "", None)}


def check_health_tells_the_truth(files: Files, server: Server) -> None:
    """Take away a model, a table, and the whole gallery, and give them back."""
    model = next((files.folder / "models" / "facenet").glob("*.onnx"))
    [table] = (files.folder / "gallery").glob("faces-*.lance")
    cases: list[tuple[Path, Callable[[Any], bool]]] = [
        (model, lambda found: bool(found["models"]["facenet"]) and bool(found["model_loaded"])),
        (table, lambda found: bool(found["database_connected"])),
        (files.folder / "gallery", lambda found: bool(found["database_connected"])),
    ]
    for path, is_well in cases:
        path.rename(path.with_suffix(".away"))
        found = health(server.address)
        assert found["status"] == "degraded"
        assert not is_well(found)
        path.with_suffix(".away").rename(path)
        until(lambda: bool(health(server.address)["status"] == "healthy"))


def health(address: str) -> Any:
    return httpx.get(f"{address}/health", timeout=30).json()
