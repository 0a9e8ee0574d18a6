"""Figures that the load tools derive from requests and from samples, and the verdict of a soak."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import StatisticsError

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_tests.bench import measurement
from load_tests.bench.measurement import Measurement, summed_up
from load_tests.bench.report import over_rounds
from load_tests.processes import GALLERY_FILES, MEMORY, OPEN_FILES, RESOURCES, Sample
from load_tests.records import Request, answers_between, read, write
from load_tests.soak import changes

FIRST = Sample(10, {1: 1.0, 2: 5.0}, 0.0, dict.fromkeys(range(5), "ingress"), {MEMORY: 9})
LAST = Sample(14, {1: 4.0, 2: 6.5, 3: 3.0}, 10.0, dict.fromkeys((0, 1, 3, 4), "ingress"), {MEMORY: 512})
REFUSED, FAILED = "refused with 503: {}", "500: {}"


def answer(began: float, ended: float, similarity: float = 0.7) -> Request:
    return Request(ended, "/match", 1000 * (ended - began), None, {"similarity": similarity})


def test_requests_are_read_as_they_were_written_without_a_line_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "records"
    requests = [answer(1, 1.5), Request(2.0, "/a", None, REFUSED), Request(3.0, "/b", 5.0, FAILED, {"status": 500})]
    with path.open("w") as file:
        for request in requests:
            write(file, request)
        file.write('[4.0, "/c"')
    assert read(path) == requests
    assert read(tmp_path / "missing") == []
    assert [(each.answered, each.refused) for each in requests] == [(True, False), (False, True), (False, False)]


@given(st.floats(0, 3), st.floats(5, 30))
def test_a_steady_stream_has_its_rate_wherever_the_stretch_begins(begin: float, seconds: float) -> None:
    stream = [answer(3 * number, 3 * number + 3) for number in range(20)]
    assert answers_between(stream, begin, begin + seconds) == pytest.approx(seconds / 3)


def test_rates_and_times_are_those_of_answers_only() -> None:
    answers = [answer(11, 11.1), answer(11, 11.2), answer(11, 11.3), answer(11, 11.4, 0.5)]
    others = [Request(12, "/match", None, REFUSED)] * 2 + [Request(13, "/match", 60_000, FAILED), answer(8, 9)]
    answers[0].details["steps"] = {"total": 5.0}
    found = summed_up("service", "/match", 8, [*answers, *others, answer(13.5, 14.5)], FIRST, LAST)
    # Half of the last answer lies in the stretch. The CPU time of a new process counts from its start, and that of an
    # ended process until its last reading.
    figures = {"rate": 4.5 / 4, "p50": 250, "p95": 385, "cpu": 7.5 / 4.5, "memory": 512, "similarity": 0.7}
    assert found.numbers == pytest.approx(figures | {"replicas": 4})
    assert (found.counts, found.steps) == ({"answers": 4, "refused": 2, "failed": 1}, {"total": 5.0})
    assert found.replica_cpu == pytest.approx({"ingress": 7.5 / 4.5})
    assert found.busy_cores == 2.5


def test_cpu_times_of_processes_that_exit_during_a_measurement_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = iter([Sample(time.monotonic(), {1: 1.0, 2: 1.0}, 0, {}, {}), Sample(0, {2: 4.0}, 0, {}, {})])
    monkeypatch.setattr(measurement, "WARM_UP_S", 0)
    monkeypatch.setattr(measurement, "sample", lambda _: next(edges))
    monkeypatch.setattr(measurement, "cpu_times", lambda _: {1: 2.5, 2: 3.0})
    _, last = measurement.edge_samples(psutil.Process(), 0.1)
    assert last.cpu == {1: 2.5, 2: 4.0}


def test_a_measurement_without_an_answer_is_none() -> None:
    requests = [Request(11, "/match", None, REFUSED), Request(11, "/match", 5, FAILED)]
    with pytest.raises(RuntimeError, match="plain /compare, 3 clients: 1 refusals, 1 failures, no answer"):
        summed_up("plain", "/compare", 3, requests, FIRST, LAST)


def test_counts_are_summed_over_rounds_and_all_else_is_a_median() -> None:
    one = Measurement("bare", "/match", 1, {}, {"failed": 1}, {}, {}, 0)
    rounds = [[replace(one, numbers={"rate": n}, replica_cpu={"x": n}, busy_cores=n)] for n in (1, 2, 9)]
    [found] = over_rounds(rounds)
    assert found == Measurement("bare", "/match", 1, {"rate": 2}, {"failed": 3}, {}, {"x": 2}, 2)


STEADY = replace(FIRST, replicas={7: "x"}, used=dict(zip(RESOURCES, (150, 100, 60, 40, 200), strict=True)))


def samples(used: Mapping[str, float] | None = None, replicas: Mapping[int, str] = STEADY.replicas) -> list[Sample]:
    """Eight samples: one before the first quarter, three in it, one in between, three with these values in the last."""
    moments, last = (50, 110, 120, 130, 300, 410, 420, 430), replace(STEADY, used={**STEADY.used, **(used or {})})
    return [replace(last, at=at, replicas=replicas) if at > 400 else replace(STEADY, at=at) for at in moments]


def requests(name: str, first: float, last: float, count: int = 10, problem: str | None = None) -> list[Request]:
    return [
        Request(begin + number, name, milliseconds, problem)
        for begin, milliseconds in ((100, first), (400, last))
        for number in range(count)
    ]


def broken(looks: list[Sample], asked: list[Request]) -> list[str]:
    return [change.what for change in changes(100, 500, looks, asked) if change.broken]


@pytest.mark.parametrize(
    ("used", "what"),
    [
        ({MEMORY: 165, OPEN_FILES: 66, GALLERY_FILES: 270}, []),
        ({MEMORY: 166}, [MEMORY]),
        ({GALLERY_FILES: 271}, [GALLERY_FILES]),
    ],
)
def test_growth_beyond_its_bound_is_found(used: dict[str, float], what: list[str]) -> None:
    assert broken(samples(used), requests("/a", 100, 100)) == what


def test_a_single_peak_decides_nothing_but_the_end_of_a_replica_does() -> None:
    asked, (*others, last) = requests("/a", 100, 100), samples()
    assert broken([*others, replace(last, used=dict.fromkeys(RESOURCES, 9999))], asked) == []
    assert broken(samples(replicas={7: "x", 8: "x"}), asked) == []
    assert broken(samples(replicas={8: "x"}), asked) == ["replicas that ended"]


def test_a_quarter_without_a_sample_or_an_answer_is_no_verdict() -> None:
    for looks, asked in ((samples()[:5], 10), (samples()[4:], 10), (samples(), 9)):
        with pytest.raises(StatisticsError):
            changes(100, 500, looks, requests("/a", 100, 100, count=asked))


def test_times_are_of_each_route_and_a_typical_one_and_only_answers_count() -> None:
    asked = [*requests("/a", 100, 110), *requests("/b", 10, 13), *requests("/c", 200, 500)]
    asked += requests("/a", 1, 9999, problem="500: {}")
    asked += requests("/seldom", 1, 9999, count=9)
    asked += [replace(request, milliseconds=None) for request in requests("/left", 1, 1)]
    # Between the quarters, and after the last.
    asked += [Request(at, "/a", 9999, None) for at in (300, 500)]
    typical, *routes = changes(100, 500, samples(), asked)[6:]
    assert [(route.what, route.first, route.last, route.broken) for route in routes] == [
        ("/c, ms", 200, 500, True),
        ("/a, ms", 100, 110, False),
        ("/b, ms", 10, 13, False),
    ]
    assert typical.last == pytest.approx(1.3)
    assert typical.broken
