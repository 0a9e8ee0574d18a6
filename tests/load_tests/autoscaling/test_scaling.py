"""Configurations that scale within seconds, and the replicas that are counted."""

import copy
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml

from deployments.config import check
from graphs.settings import AppArgs
from load_tests.autoscaling.scaling import TARGET, WINDOWS, apart, quick, replicas
from load_tests.server import Server
from project.root import ROOT

SLEEPING = "import sys; print(flush=True); sys.stdin.readline()"


@pytest.fixture(params=["serve.yaml", "laptop.yaml", "node.yaml"])
def config(request: pytest.FixtureRequest) -> Any:
    return yaml.safe_load((ROOT / "configs" / request.param).read_text("utf-8"))


def test_every_stage_is_apart_and_scales(config: Any) -> None:
    as_it_was = copy.deepcopy(config)
    made = apart(config, 3)
    assert config == as_it_was
    [args] = check(made)
    limits = {
        entry["name"]: entry["autoscaling_config"]
        for entry in made["applications"][0]["deployments"]
        if not entry["name"].startswith("gallery-")
    }
    stages = {f"detector-{role}": stage.place for role, stage in args.detectors.items()}
    stages |= {f"liveness-{role}": stage.place for role, stage in args.liveness.items()}
    stages |= {f"embedder-{role}": stage.place for role, stage in args.embedders.items()}
    assert limits.keys() == {"ingress", *stages}
    assert set(stages.values()) == {"own"}
    assert {(found["min_replicas"], found["max_replicas"]) for found in limits.values()} == {(1, 3)}
    assert {limits[name]["target_ongoing_requests"] for name in stages} == {TARGET}
    assert not [entry for entry in made["applications"][0]["deployments"] if "num_replicas" in entry]


def test_all_replicas_together_fit_on_two_cores(config: Any) -> None:
    args = AppArgs.model_validate(apart(config, 3)["applications"][0]["args"])
    stages = [*args.detectors.values(), *args.liveness.values(), *args.embedders.values()]
    most = 3 * (args.ingress_cpus + sum(stage.cpus for stage in stages))
    assert most + args.gallery.writer_cpus + args.gallery.reader_cpus <= 2


def test_short_windows_change_nothing_else(config: Any) -> None:
    config = apart(config, 2)
    as_it_was, made = copy.deepcopy(config), quick(config, 4)
    assert config == as_it_was
    check(made)
    windows = {**WINDOWS, "downscale_delay_s": 4}
    for entry, before in zip(
        made["applications"][0]["deployments"], config["applications"][0]["deployments"], strict=True
    ):
        scales = "autoscaling_config" in before
        assert entry == {**before, **({"autoscaling_config": before["autoscaling_config"] | windows} if scales else {})}


def test_replicas_are_counted_by_deployment() -> None:
    titles = [
        "ray::ServeReplica:facegraph:ingress",
        *["ray::ServeReplica:facegraph:detector-mtcnn.detect"] * 2,
        "ray::IDLE",
    ]
    # The session's service has replicas below this process too.
    others = replicas(Server("", os.getpid()))
    started = [
        subprocess.Popen([sys.executable, "-c", SLEEPING, title], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for title in titles
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        assert replicas(Server("", os.getpid())) - others == {"ingress": 1, "detector-mtcnn": 2}
    finally:
        for process in started:
            process.communicate(b"\n")
    assert replicas(Server("", os.getpid())) - others == {}
