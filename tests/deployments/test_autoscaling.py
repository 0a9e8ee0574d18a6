"""Autoscaling end to end, in a service of its own that scales within seconds, and is stopped in order."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from project.root import ROOT
from tests.conftest import SERVED
from tests.deployments.traffic import Traffic
from tests.live_service import served

CONFIG = ROOT / "configs" / "autoscaling.yaml"
MAX_REPLICAS = 3
CLIENTS = 8
TIMEOUT_S = 60

LOADED = "detector-mtcnn"
IDLE = ("liveness-crmnet", "embedder-arcface", "gallery-reader", "gallery-writer")


@SERVED
@pytest.mark.long
def test_only_the_loaded_stage_scales_up_and_back_and_sigterm_ends_the_service(
    tmp_path: Path, mindy: bytes, mindy_again: bytes
) -> None:
    [application] = yaml.safe_load(CONFIG.read_text("utf-8"))["applications"]
    counts: list[Counter[str]] = []
    with served(str(CONFIG), tmp_path / "log", GALLERY_URI=str(tmp_path / "gallery")) as server:

        def count_until(condition: Callable[[Counter[str]], bool]) -> None:
            last = time.monotonic() + TIMEOUT_S
            while not counts or not condition(counts[-1]):
                assert time.monotonic() < last, counts[-1]
                counts.append(server.replicas())
                time.sleep(0.2)

        count_until(lambda count: count.total() == len(application["deployments"]))
        traffic = Traffic(server.address, (mindy, mindy_again), kinds=("/compare",))
        with traffic.by(CLIENTS):
            count_until(lambda count: count[LOADED] == MAX_REPLICAS)
            traffic.wait_for(2 * CLIENTS)
        # One client goes on while replicas end.
        with traffic.by(1):
            count_until(lambda count: count[LOADED] == 1)
            traffic.wait_for(3)
        main = psutil.Process(server.pid)
        main.terminate()
        assert main.wait(TIMEOUT_S) == 0
    assert (traffic.failed, traffic.wrong) == ([], [])
    assert {count[name] for count in counts[-1:] for name in count} == {1}
    assert {count[name] for count in counts for name in IDLE} <= {0, 1}
    assert max(most for count in counts for most in count.values()) == MAX_REPLICAS
