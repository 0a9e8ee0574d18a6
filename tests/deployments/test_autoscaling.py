"""Autoscaling end to end, in a service of its own whose windows are short: a step of load, and its end."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.config import check
from load_tests.asking import asking
from load_tests.autoscaling.scaling import apart, quick, replicas
from load_tests.pair import prepare
from load_tests.routes import CONFIG, ROUTES
from load_tests.server import Server, served
from load_tests.work import Record
from tests.conftest import SERVED

ROUTE = ROUTES["compare"]
MOST = 3
CLIENTS = 8
LIMIT_S = 60

LOADED = "detector-mtcnn"
UNTOUCHED = ("liveness-crmnet", "embedder-arcface", "gallery-reader", "gallery-writer")


@pytest.fixture
def config() -> Any:
    """The default configuration with the stages that `ROUTE` and the settings need, which scale within seconds."""
    config = apart(yaml.safe_load(CONFIG.read_text("utf-8")), MOST)
    [application] = config["applications"]
    # Nobody asks for it, and with a replica less the others start faster.
    del application["args"]["detectors"]["mediapipe"]
    application["deployments"] = [
        entry for entry in application["deployments"] if entry["name"] != "detector-mediapipe"
    ]
    config = quick(config, downscale_s=4)
    check(config)
    return config


@dataclass
class Watch:
    """Every count of replicas that was seen of a service."""

    server: Server
    seen: list[Counter[str]] = field(default_factory=list)

    def until(self, holds: Callable[[Counter[str]], bool]) -> None:
        """Count until it `holds`."""
        last = time.monotonic() + LIMIT_S
        while True:
            self.seen.append(replicas(self.server))
            if holds(self.seen[-1]):
                return
            assert time.monotonic() < last, self.seen[-1]
            time.sleep(0.2)

    def until_answered(self, records: list[Record], more: int) -> None:
        """Count until so many more requests have come to an end."""
        wanted = len(records) + more
        self.until(lambda _: len(records) >= wanted)


@SERVED
@pytest.mark.long
def test_only_the_stage_under_load_scales_within_its_limits_and_back(config: Any, tmp_path: Path) -> None:
    path, body = tmp_path / "serve.yaml", ROUTE.body(prepare())
    path.write_text(yaml.safe_dump(config), "utf-8")
    with served(str(path), tmp_path / "log", GALLERY_URI=str(tmp_path / "gallery")) as server:
        watch = Watch(server)
        watch.until(lambda count: count.total() == len(config["applications"][0]["deployments"]))
        assert set(watch.seen[-1].values()) == {1}
        with asking(server, ROUTE, body, CLIENTS) as during:
            watch.until(lambda count: count[LOADED] == MOST)
            watch.until_answered(during, 2 * CLIENTS)
        # One goes on, so that replicas end under calls.
        with asking(server, ROUTE, body, 1) as after:
            watch.until(lambda count: count[LOADED] == 1)
            watch.until_answered(after, 3)
    assert {record.answer.kind for record in during + after} == {"answered"}
    assert max(count[LOADED] for count in watch.seen) == MOST
    assert {count[name] for count in watch.seen for name in UNTOUCHED} == {1}
    assert all(most <= MOST for count in watch.seen for most in count.values())
