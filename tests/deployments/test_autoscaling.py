"""Autoscaling end to end, in a service of its own that scales within seconds: a step of load, and its end."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.config import check
from tests.conftest import PROJECT, SERVED
from tests.deployments.traffic import Traffic
from tests.live_service import LiveService, served

CONFIG = PROJECT / "configs" / "autoscaling.yaml"
MOST = 3
CLIENTS = 8
LIMIT_S = 60

LOADED = "detector-mtcnn"
UNTOUCHED = ("liveness-crmnet", "embedder-arcface", "gallery-reader", "gallery-writer")


@dataclass
class ReplicaCounts:
    """Every count of a service's replicas that was taken."""

    server: LiveService
    seen: list[Counter[str]] = field(default_factory=list)

    def until(self, holds: Callable[[Counter[str]], bool]) -> None:
        """Count until `holds` is true of a count."""
        last = time.monotonic() + LIMIT_S
        while True:
            self.seen.append(self.server.replicas())
            if holds(self.seen[-1]):
                return
            assert time.monotonic() < last, self.seen[-1]
            time.sleep(0.2)


def test_all_replicas_fit_on_two_cores() -> None:
    [args] = check(yaml.safe_load(CONFIG.read_text("utf-8")))
    stages = [*args.stages.values()]
    most = MOST * (args.ingress_cpus + sum(stage.cpus for stage in stages))
    assert most + args.gallery.writer_cpus + args.gallery.reader_cpus <= 2


@SERVED
@pytest.mark.long
def test_only_the_stage_under_load_scales_within_its_limits_and_back(
    tmp_path: Path, mindy: bytes, mindy_again: bytes
) -> None:
    config: Any = yaml.safe_load(CONFIG.read_text("utf-8"))
    with served(str(CONFIG), tmp_path / "log", GALLERY_URI=str(tmp_path / "gallery")) as server:
        counts = ReplicaCounts(server)
        counts.until(lambda count: count.total() == len(config["applications"][0]["deployments"]))
        assert set(counts.seen[-1].values()) == {1}
        traffic = Traffic(server.address, (mindy, mindy_again), kinds=("/compare",))
        with traffic.by(CLIENTS):
            counts.until(lambda count: count[LOADED] == MOST)
            traffic.wait_for(2 * CLIENTS)
        # One client goes on, so that replicas end while requests arrive.
        with traffic.by(1):
            counts.until(lambda count: count[LOADED] == 1)
            traffic.wait_for(3)
    assert (traffic.failed, traffic.wrong) == ([], [])
    assert max(count[LOADED] for count in counts.seen) == MOST
    assert {count[name] for count in counts.seen for name in UNTOUCHED} == {1}
    assert all(most <= MOST for count in counts.seen for most in count.values())
