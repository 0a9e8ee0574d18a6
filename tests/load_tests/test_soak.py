"""What a soak compares, and its verdict."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import StatisticsError
from typing import Any

import psutil
import pytest
import yaml

from load_tests.growth import Change, changes
from load_tests.processes import Sample, sample
from load_tests.records import Request
from load_tests.service import CONFIG
from load_tests.soak import without_autoscaling

STEADY = Sample(
    at=0,
    cpu={},
    machine_cpu=0,
    memory=150,
    replica_memory=100,
    open_files=60,
    threads=40,
    gallery_files=200,
    replicas={7: "ingress"},
)


def samples(**last: Any) -> list[Sample]:
    """Three looks in the first quarter and three in the last, which differ as `last` says; one before, one between."""
    moments = (50, 110, 120, 130, 300, 410, 420, 430)
    return [replace(STEADY, at=at, **(last if at > 400 else {})) for at in moments]


def requests(name: str, first: float, last: float, count: int = 10, problem: str | None = None) -> list[Request]:
    return [
        Request(begin + number, name, milliseconds, problem)
        for begin, milliseconds in ((100, first), (400, last))
        for number in range(count)
    ]


def broken(looks: list[Sample], asked: list[Request]) -> list[str]:
    return [change.what for change in changes(100, 500, looks, asked) if change.broken]


@pytest.mark.parametrize(
    ("first", "last", "slack", "growth", "broken"),
    [
        (100, 110, 0, 0.1, False),
        (100, 111, 0, 0.11, True),
        (100, 115, 5, 0.15, False),
        (100, 116, 5, 0.16, True),
        (100, 50, 0, -0.5, False),
        (0, 0, 0, 0, False),
        (0, 1, 0, float("inf"), True),
    ],
)
def test_a_bound_is_a_share_and_a_slack(first: float, last: float, slack: float, growth: float, broken: bool) -> None:
    change = Change("x", first, last, 0.1, slack)
    assert change.growth == pytest.approx(growth)
    assert change.broken is broken


@pytest.mark.parametrize(
    ("last", "what"),
    [
        ({}, []),
        ({"memory": 166}, ["memory, MiB"]),
        # A leak in the replicas shows even if another process freed as much.
        ({"replica_memory": 111}, ["memory of the replicas, MiB"]),
        ({"open_files": 67}, ["open files"]),
        ({"threads": 45}, ["threads"]),
        ({"gallery_files": 271}, ["files of the gallery"]),
        ({"gallery_files": 270}, []),
        ({"replicas": {8: "ingress"}}, ["replicas that ended"]),
        ({"replicas": {7: "ingress", 8: "ingress"}}, []),
    ],
)
def test_what_grows_is_seen(last: dict[str, Any], what: list[str]) -> None:
    assert broken(samples(**last), requests("/a", 100, 100)) == what


def test_a_single_peak_decides_nothing() -> None:
    looks = samples()
    looks[-1] = replace(looks[-1], memory=5000, open_files=9999)
    assert broken(looks, requests("/a", 100, 100)) == []


def test_a_quarter_without_a_look_or_an_answer_is_no_verdict() -> None:
    for looks, asked in ((samples()[:5], 10), (samples()[4:], 10), (samples(), 9)):
        with pytest.raises(StatisticsError):
            changes(100, 500, looks, requests("/a", 100, 100, count=asked))


def test_times_are_of_a_typical_route_and_of_each() -> None:
    asked = [*requests("/a", 100, 110), *requests("/b", 10, 13), *requests("/c", 200, 500)]
    typical, *routes = changes(100, 500, samples(), asked)[6:]
    assert [(route.what, route.first, route.last, route.broken) for route in routes] == [
        ("/c, ms", 200, 500, True),
        ("/a, ms", 100, 110, False),
        ("/b, ms", 10, 13, False),
    ]
    assert typical.last == pytest.approx(1.3)
    assert typical.broken


def test_only_answers_have_times() -> None:
    asked = [
        *requests("/a", 100, 100),
        *requests("/a", 1, 9999, problem="500: {}"),
        *requests("/seldom", 1, 9999, count=9),
        *[replace(request, milliseconds=None) for request in requests("/left", 1, 1)],
        # Between the quarters, and after the last.
        Request(300, "/a", 9999, None),
        Request(500, "/a", 9999, None),
    ]
    typical, *routes = changes(100, 500, samples(), asked)[6:]
    assert [(route.what, route.last) for route in routes] == [("/a, ms", 100)]
    assert typical.last == 1


def test_a_sample_has_every_process_and_the_replicas_alone(tmp_path: Path) -> None:
    program = "import sys; print(flush=True); sys.stdin.readline()"
    titles = ("ray::ServeReplica:facegraph:ingress", "ray::ServeReplica:facegraph:ingress.call", "raylet")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").touch()
    started = [
        subprocess.Popen([sys.executable, "-c", program, title], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for title in titles
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        found = sample(psutil.Process(os.getpid()), tmp_path)
    finally:
        for process in started:
            process.communicate(b"\n")
    assert {process.pid: "ingress" for process in started[:2]}.items() <= found.replicas.items()
    assert found.counts["ingress"] >= 2
    assert 5 < found.replica_memory < found.memory
    assert found.open_files >= 3 * len(titles)
    assert found.threads >= len(titles)
    assert {process.pid for process in started} < found.cpu.keys()
    assert found.gallery_files == 1


def test_nothing_scales_in_a_soak() -> None:
    config = without_autoscaling(yaml.safe_load(CONFIG.read_text("utf-8")))
    made = {entry["name"]: entry for entry in config["applications"][0]["deployments"]}
    assert not any("autoscaling_config" in entry for entry in made.values())
    assert made["ingress"]["num_replicas"] == 1
    assert "num_replicas" not in made["gallery-writer"]
