"""The soak: what it compares, what it makes of it, and what its clients do; its service is not here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import PIL.Image
import pytest
import yaml

from load_tests.routes import CONFIG
from load_tests.server import Server
from load_tests.soak import __main__ as soak
from load_tests.soak.records import Request, read, unexpected
from load_tests.soak.samples import Sample, files_below, kind_of, sample
from load_tests.soak.verdict import Bounds, Change, Quarters, TooShortError, memory_by_kind, resources, times
from load_tests.watch import EndedError
from tests.conftest import PROJECT
from tests.load_tests.program import invoked
from tests.load_tests.service import app, serving

QUARTERS = Quarters(100, 500)
STEADY = Sample(
    at=0,
    memory={"replica ingress": 100.0, "raylet": 50.0},
    open_files={"replica ingress": 40, "raylet": 20},
    threads={"replica ingress": 30, "raylet": 10},
    gallery_files=200,
    replicas=frozenset({7}),
)


def samples(**last: Any) -> list[Sample]:
    """Three looks in the first quarter and three in the last, which differ as `last` says; one before, one between."""
    moments = (50, 110, 120, 130, 300, 410, 420, 430)
    return [replace(STEADY, at=at, **(last if at > 400 else {})) for at in moments]


def requests(name: str, first: float, last: float, count: int = 10, **more: Any) -> list[Request]:
    return [
        Request(begin + number, name, milliseconds, more.get("problem"))
        for begin, milliseconds in ((100, first), (400, last))
        for number in range(count)
    ]


def broken(**last: Any) -> list[str]:
    return [change.what for change in resources(samples(**last), QUARTERS, Bounds()) if change.broken]


def test_quarters_leave_the_middle_out() -> None:
    moments = (99, 100, 199, 200, 399, 400, 499, 500)
    assert [QUARTERS.number(at) for at in moments] == [None, 0, 0, None, None, 1, 1, None]


@pytest.mark.parametrize(
    ("first", "last", "slack", "growth", "is_broken"),
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
def test_a_bound_is_a_share_and_a_slack(
    first: float, last: float, slack: float, growth: float, is_broken: bool
) -> None:
    change = Change("x", "", first, last, 0.1, slack)
    assert change.growth == pytest.approx(growth)
    assert change.broken is is_broken


def test_a_steady_service_breaks_nothing() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("last", "what"),
    [
        ({"memory": {"replica ingress": 100.0, "raylet": 66.0}}, ["memory"]),
        # What the replicas leak is seen, although another process freed as much.
        ({"memory": {"replica ingress": 111.0, "raylet": 39.0}}, ["memory of the replicas"]),
        ({"open_files": {"replica ingress": 47, "raylet": 20}}, ["open files"]),
        ({"threads": {"replica ingress": 30, "raylet": 15}}, ["threads"]),
        ({"gallery_files": 271}, ["files of the gallery"]),
        ({"gallery_files": 270}, []),
        ({"replicas": frozenset({8})}, ["replicas that ended"]),
        ({"replicas": frozenset({7, 8})}, []),
    ],
)
def test_what_grows_is_seen(last: dict[str, Any], what: list[str]) -> None:
    assert broken(**last) == what


def test_a_single_peak_decides_nothing() -> None:
    looks = samples()
    looks[-1] = replace(looks[-1], memory={"replica ingress": 5000.0}, open_files={"raylet": 9999})
    assert not any(change.broken for change in resources(looks, QUARTERS, Bounds()))


def test_the_bounds_are_the_callers() -> None:
    grown = samples(threads={"raylet": 60})
    assert any(change.broken for change in resources(grown, QUARTERS, Bounds(growth=0.49)))
    assert not any(change.broken for change in resources(grown, QUARTERS, Bounds(growth=0.5)))


@pytest.mark.parametrize("kept", [slice(0, 5), slice(4, 8)])
def test_a_quarter_without_a_look_is_no_verdict(kept: slice) -> None:
    with pytest.raises(TooShortError):
        resources(samples()[kept], QUARTERS, Bounds())


def test_memory_is_told_by_kind_and_largest_first() -> None:
    found = memory_by_kind(samples(memory={"raylet": 70.0, "new": 90.0}), QUARTERS)
    assert list(found.items()) == [("new", (0.0, 90.0)), ("raylet", (50.0, 70.0)), ("replica ingress", (100.0, 0.0))]


def test_times_are_of_each_route_and_of_a_typical_one() -> None:
    asked = [*requests("/a", 100, 110), *requests("/b", 10, 12), *requests("/c", 200, 500)]
    typical, *routes = times(asked, QUARTERS, Bounds())
    assert [(route.what, route.first, route.last, route.broken) for route in routes] == [
        ("/c", 200, 500, True),
        ("/a", 100, 110, False),
        ("/b", 10, 12, False),
    ]
    assert typical.last == pytest.approx(1.2)
    assert not typical.broken
    assert times(asked, QUARTERS, Bounds(slowdown=0.1))[0].broken


def test_only_answers_have_times() -> None:
    asked = [
        *requests("/a", 100, 100),
        *requests("/a", 1, 9999, problem="500: {}"),
        *requests("/seldom", 1, 9999, count=9),
        *[replace(request, milliseconds=None) for request in requests("/left", 1, 1)],
        Request(300, "/a", 9999, None),
    ]
    typical, *routes = times(asked, QUARTERS, Bounds())
    assert [(route.what, route.last) for route in routes] == [("/a", 100)]
    assert typical.last == 1
    with pytest.raises(TooShortError):
        times(requests("/seldom", 1, 1, count=9), QUARTERS, Bounds())


def test_records_are_read_but_for_a_line_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "records"
    lines = ([1.5, "/a", 20.0, None], [2.0, "/a", None, "refused with 503: {}"], [3.0, "/b", 5.0, "500: {}"])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '[4.0, "/c"', "utf-8")
    found = read(path)
    assert found[0] == Request(1.5, "/a", 20.0, None)
    assert [request.refused for request in found] == [False, True, False]
    assert unexpected(found) == {"/b: 500: {}": 1}


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("ray::ServeReplica:facegraph:gallery-writer.call\0", "replica gallery-writer"),
        ("ray::ServeController.listen_for_change\0\0", "ServeController"),
        ("ray::IDLE\0", "IDLE"),
        ("/usr/bin/python3\0-u\0/x/dashboard/agent.py\0--port=1\0", "agent"),
        ("/x/raylet/raylet\0--raylet_socket_name=/tmp/a.py/b\0", "raylet"),
        ("haproxy\0-f\0/tmp/haproxy.cfg\0", "haproxy"),
        ("", ""),
    ],
)
def test_what_a_process_is(command: str, kind: str) -> None:
    assert kind_of(command) == kind


def test_a_look_at_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This one stands for a replica beside one that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    monkeypatch.setattr(Server, "processes", lambda self, name="": [os.getpid(), ended.pid])
    names = {os.getpid(): "ray::ServeReplica:facegraph:ingress\0", ended.pid: "ray::ServeReplica:facegraph:ingress\0"}
    monkeypatch.setattr("load_tests.soak.samples.command", names.__getitem__)
    before = sample(Server("", 0), tmp_path, 1.0)
    with (tmp_path / "a").open("w"):
        after = sample(Server("", 0), tmp_path, 2.0)
    assert after.at == 2.0
    assert after.open_files["replica ingress"] == before.open_files["replica ingress"] + 1
    assert after.threads["replica ingress"] >= 1
    assert after.memory["replica ingress"] > 10
    assert (before.gallery_files, after.gallery_files) == (0, 1)


def test_files_are_counted_below_a_folder_that_need_not_be_there(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").touch()
    (tmp_path / "d").touch()
    assert files_below(tmp_path) == 2
    assert files_below(tmp_path / "none") == 0


def test_nothing_scales_in_a_soak() -> None:
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    made = {entry["name"]: entry for entry in soak.steady(config)["applications"][0]["deployments"]}
    assert not any("autoscaling_config" in entry for entry in made.values())
    assert made["ingress"]["num_replicas"] == 1
    assert made["ingress"]["max_ongoing_requests"] == 100
    assert "num_replicas" not in made["gallery-writer"]
    assert "autoscaling_config" in config["applications"][0]["deployments"][0]


class Clients:
    """A process that is there for `polls` looks."""

    def __init__(self, polls: float) -> None:
        self._polls = polls
        self.waited = False

    def poll(self) -> int | None:
        self._polls -= 1
        return None if self._polls >= 0 else 1

    def wait(self, _: float) -> None:
        self.waited = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A time that goes on when it is waited for, and by half a second at each look."""
    now = [0.0]

    def look(server: object, gallery: object, at: float) -> Sample:
        now[0] += 0.5
        grown = 1 + at / 20
        return replace(
            STEADY, at=at, memory={"replica ingress": 100.0 * grown}, replicas=frozenset({7} if at < 90 else ())
        )

    monkeypatch.setattr(soak, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(soak, "sleep_until", lambda moment: now.__setitem__(0, max(now[0], moment)))
    monkeypatch.setattr(soak, "sample", look)
    return now


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("no such user\n", "utf-8")
    return path


def watch(clients: Clients, end: float, log: Path) -> list[Sample]:
    made: Any = clients
    return soak.watch(Server("", 0), made, log.parent, end, log)


def test_the_service_is_looked_at_every_two_seconds(clock: list[float], log: Path) -> None:
    clients = Clients(float("inf"))
    assert [sample.at for sample in watch(clients, 9, log)] == [0, 2, 4, 6, 8]
    assert clients.waited


def test_clients_that_end_are_no_soak(clock: list[float], log: Path) -> None:
    with pytest.raises(EndedError, match="no such user"):
        watch(Clients(2), 60, log)


def test_a_service_that_ends_is_no_soak(clock: list[float], log: Path) -> None:
    with pytest.raises(EndedError, match="no replica"):
        watch(Clients(float("inf")), 120, log)


@pytest.mark.parametrize(("growth", "problem", "code"), [("0.10", None, 1), ("9", None, 0), ("9", "500: {}", 1)])
def test_a_run_is_judged_and_written_down(
    growth: str, problem: str | None, code: int, clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def served(config: str, log: Path, **variables: str) -> Iterator[Server]:
        assert (variables["GALLERY_CLEAN_S"], variables["REQUIRE_KEYS"]) == ("15", "false")
        assert all(Path(variables[name]).parent == tmp_path for name in ("GALLERY_URI", "AUDIT_LOG"))
        yield Server("http://host", 1)

    @contextmanager
    def asking(address: str, clients: int, seconds: float, records: Path, log: Path) -> Iterator[Clients]:
        answers = [[at + 0.5, "/match", 100.0, None] for at in range(60) for _ in range(2)]
        answers.append([30.0, "/list_faces", 5.0, problem])
        records.write_text("".join(json.dumps(answer) + "\n" for answer in answers), "utf-8")
        log.touch()
        yield Clients(float("inf"))

    monkeypatch.setattr(soak, "served", served)
    monkeypatch.setattr(soak, "asking", asking)
    ran = invoked(soak.main, "--minutes", "1", "--folder", str(tmp_path), "--most-growth", growth)
    assert ran.exit_code == code, ran.output
    assert ("broken" in ran.output) == (growth == "0.10")
    assert ("1 times: /list_faces: 500: {}" in ran.output) == (problem is not None)
    written = json.loads((tmp_path / "soak.json").read_text("utf-8"))
    changes = {change["what"]: change for change in written["changes"]}
    assert changes["memory"]["last"] > 1.5 * changes["memory"]["first"]
    assert changes["/match"]["last"] == 100
    assert written["requests"] == {"/match": 120, "/list_faces": 1}
    assert len(written["samples"]) == 30
    with PIL.Image.open(tmp_path / "soak.png") as picture:
        assert min(picture.size) > 500


@pytest.mark.usefixtures("sample_photos")
def test_the_clients_do_everything_and_every_answer_is_as_it_should_be(tmp_path: Path) -> None:
    records = tmp_path / "records"
    command = [sys.executable, "-m", "tests.load_tests.soak.drive", "--records", str(records)]
    with serving(app()) as host:
        ran = subprocess.run([*command, "--host", host], cwd=PROJECT, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        collections = httpx.get(f"{host}/v1/collections").json()["collections"]
        alive = httpx.get(f"{host}/health").status_code
    found = read(records)
    assert unexpected(found) == {}
    names = {request.name for request in found}
    assert names > {"/match", "/v1/verify", "/add_face", "/v1/collections/[name]/search", "/health"}
    assert names > {"broken photo: /v1/detect", "wrong JSON: /match", "hung up: /match"}
    assert all(request.milliseconds is None for request in found if request.name == "hung up: /match")
    assert not any(each["name"].startswith("load-") for each in collections)
    assert alive == 200


@pytest.mark.usefixtures("sample_photos")
def test_locust_runs_the_clients_and_ends(tmp_path: Path) -> None:
    records, log = tmp_path / "records", tmp_path / "log"
    with serving(app()) as host, soak.asking(host, 2, 1, records, log) as process:
        assert process.wait(60) == 0, log.read_text("utf-8")
    assert unexpected(read(records)) == {}
    # What every client asks for as it comes.
    assert [request.name for request in read(records)].count("/api/v1/warm-up") == 2
