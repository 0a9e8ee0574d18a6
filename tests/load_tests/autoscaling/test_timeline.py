"""What is told of each second of a run."""

import pytest

from load_tests.autoscaling.timeline import Look, Phase, seconds, within
from load_tests.work import Answer, Record

ONE, TWO = {"ingress": 1}, {"ingress": 2}


def record(ended: float, milliseconds: float = 100.0, kind: str = "answered") -> Record:
    return Record(ended - milliseconds / 1000, ended, Answer(kind, milliseconds))  # type: ignore[arg-type]


def test_what_came_between_two_looks_is_theirs() -> None:
    looks = [Look(0, ONE), Look(1, ONE), Look(3, TWO), Look(4, TWO)]
    records = [record(1000.5), record(1000.9, 300.0), record(1001.5, kind="refused"), record(1002.5), record(1009.0)]
    first, second, third = seconds(looks, records, start=1000)
    assert (first.begin, first.end, first.replicas) == (0, 1, ONE)
    assert (first.answers, first.others, first.p50, first.rate) == (2, 0, 200.0, 2)
    assert first.p95 == pytest.approx(290)
    assert (second.answers, second.others, second.replicas, second.rate) == (1, 1, TWO, 0.5)
    assert (third.answers, third.p50, third.p95, third.rate) == (0, None, None, 0)


def test_a_phase_has_the_seconds_that_end_in_it() -> None:
    entries = seconds([Look(at, ONE) for at in range(5)], [], start=0)
    assert [entry.end for entry in within(Phase("match", 1, 3), entries)] == [2, 3]
