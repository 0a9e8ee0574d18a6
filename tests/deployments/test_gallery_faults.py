"""The gallery when things go wrong, in a service of its own: processes are killed and files taken away."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml

from gallery import tables
from gallery.reader import Reader
from graphs.settings import ROOT
from load_tests.server import Server, served
from models.__main__ import DEFAULT_STORE

SIZE = 192
CLIENTS = 4


@dataclass
class Place:
    """Where the service has its files: a gallery, and models that are links to the real ones."""

    folder: Path
    config: Path

    def start(self) -> Any:
        return served(str(self.config), self.folder / "log", GALLERY_URI=str(self.folder / "gallery"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("faults")
    config = yaml.safe_load((ROOT / "configs" / "serve.yaml").read_text("utf-8"))
    [application] = config["applications"]
    application["args"]["models_dir"] = str(folder / "models")
    for path in DEFAULT_STORE.rglob("*"):
        if path.is_file():
            link = folder / "models" / path.relative_to(DEFAULT_STORE)
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
    (folder / "serve.yaml").write_text(yaml.safe_dump(config), "utf-8")
    return Place(folder, folder / "serve.yaml")


@dataclass
class Enrolling:
    """Clients that enrol one subject after the other, each request until it is acknowledged."""

    address: str
    contract: str
    acknowledged: dict[str, "np.ndarray[Any, Any]"] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Enrolling":
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Until so many more were acknowledged."""
        wanted, last = len(self.acknowledged) + more, time.monotonic() + 60
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < last, f"{len(self.acknowledged)} of {wanted} were acknowledged"
            time.sleep(0.02)

    def _run(self, client: int) -> None:
        random = np.random.default_rng()
        with httpx.Client(base_url=self.address, timeout=60) as session:
            number = 0
            while not self._stop.is_set():
                subject, values = f"{client}-{number}", random.standard_normal(SIZE)
                if self._enrol(session, subject, values):
                    self.acknowledged[subject] = values
                number += 1

    def _enrol(self, session: httpx.Client, subject: str, values: "np.ndarray[Any, Any]") -> bool:
        body = {"contract": self.contract, "embeddings": [{"subject": subject, "values": values.tolist()}]}
        while not self._stop.is_set():
            try:
                answer = session.post("/v1/collections/staff/embeddings", json=body)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.is_success:
                return True
            if answer.status_code not in (500, 503):
                self.wrong.append(answer.text)
                return False
            time.sleep(0.1)
        return False


def contract(address: str) -> str:
    return str(httpx.get(f"{address}/v1/models").json()["embedders"]["arcface"]["embedding_contract"])


def check_each_is_found(address: str, of: str, acknowledged: dict[str, "np.ndarray[Any, Any]"]) -> None:
    with httpx.Client(base_url=address, timeout=60) as client:
        for subject, values in acknowledged.items():
            body = {"embedding": {"contract": of, "values": values.tolist()}, "top_k": 1}
            [found] = client.post("/v1/collections/staff/search/embedding", json=body).json()["candidates"]
            assert found["subject"] == subject
            assert found["similarity"] == pytest.approx(1, abs=1e-5)


def until(what: Callable[[], bool]) -> None:
    last = time.monotonic() + 60
    while not what():
        assert time.monotonic() < last
        time.sleep(0.3)


def health(address: str) -> Any:
    return httpx.get(f"{address}/health", timeout=30).json()


def test_nothing_acknowledged_is_lost_and_the_health_tells_the_truth(place: Place) -> None:
    with place.start() as server:
        of = contract(server.address)
        httpx.put(f"{server.address}/v1/collections/staff", json={}).raise_for_status()
        with Enrolling(server.address, of) as enrolling:
            enrolling.wait_for(20)
            assert len(server.kill("ServeReplica:facegraph:gallery-")) == 2
            enrolling.wait_for(20)
            assert server.kill()
    acknowledged = enrolling.acknowledged
    assert enrolling.wrong == []
    assert acknowledged.keys() <= asyncio.run(enrolled(place)).keys()
    # And the machine lost power in the middle of the last commit.
    [table] = (place.folder / "gallery").glob("faces-*.lance")
    newest = min((table / "_versions").glob("*.manifest"))
    os.truncate(newest, newest.stat().st_size // 2)
    with place.start() as server:
        there = asyncio.run(enrolled(place))
        assert set(there.values()) == {1}
        assert len(acknowledged.keys() - there.keys()) <= 1
        # What was written but not acknowledged may be there as well, one request a client and kill at most.
        assert len(there.keys() - acknowledged.keys()) <= 4 * CLIENTS
        check_each_is_found(
            server.address, of, {subject: acknowledged[subject] for subject in there if subject in acknowledged}
        )
        assert "was opened at its last whole version" in (place.folder / "log").read_text("utf-8", "replace")
        check_health_tells_the_truth(place, server)


async def enrolled(place: Place) -> dict[str, int]:
    """How many faces each subject has, read from the files."""
    reader = Reader(tables.Place(str(place.folder / "gallery")), 0)
    return {each.id: each.faces for each in await reader.subjects(await reader.collection("staff"), "", None)}


def check_health_tells_the_truth(place: Place, server: Server) -> None:
    """Take away a model, a table, and the whole gallery, and give them back."""
    model = next((place.folder / "models" / "facenet").glob("*.onnx"))
    [table] = (place.folder / "gallery").glob("faces-*.lance")
    cases: list[tuple[Path, Callable[[Any], bool]]] = [
        (model, lambda found: bool(found["models"]["facenet"]) and bool(found["model_loaded"])),
        (table, lambda found: bool(found["database_connected"])),
        (place.folder / "gallery", lambda found: bool(found["database_connected"])),
    ]
    for path, is_well in cases:
        path.rename(path.with_suffix(".away"))
        found = health(server.address)
        assert found["status"] == "degraded"
        assert not is_well(found)
        path.with_suffix(".away").rename(path)
        until(lambda: bool(health(server.address)["status"] == "healthy"))
