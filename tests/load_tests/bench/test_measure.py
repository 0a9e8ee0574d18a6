"""Summing up what a measurement saw."""

import pytest

from load_tests.bench.measure import NoAnswerError, summed_up
from load_tests.watch import Watched
from load_tests.work import Answer


def seen(*answers: Answer) -> Watched:
    return Watched(4.0, list(answers), 5.0, server_s=6.0, workers_s=0.2, others_s=0.3, stolen_s=0.1, memory_mib=512.0)


def answered(milliseconds: float, similarity: float = 0.7) -> Answer:
    return Answer("answered", milliseconds, similarity, {"total": milliseconds - 1})


def test_rates_and_times_are_of_the_answers_alone() -> None:
    refused, failed = Answer("refused", 1.0), Answer("failed", 60_000.0)
    times = (100.0, 200.0, 300.0, 400.0)
    found = summed_up("service", "match", 8, seen(*map(answered, times), refused, refused, failed), (5, 6))
    assert (found.answers, found.refused, found.failed) == (4, 2, 1)
    assert found.rate == 1.25
    assert found.p50 == 250.0
    assert found.p95 == pytest.approx(385.0)
    assert found.p99 == pytest.approx(397.0)
    assert found.steps == {"total": 249.0}
    assert (found.what, found.route, found.clients, found.replicas) == ("service", "match", 8, (5, 6))


def test_cpu_time_is_an_answers_and_the_machines_a_seconds() -> None:
    found = summed_up("bare", "match", 2, seen(answered(1), answered(2)))
    assert found.server_cpu == 1.2
    assert found.client_cpu == 0.04
    assert found.others_cpu == pytest.approx(0.1)
    assert found.memory == 512.0


def test_the_similarity_is_the_median() -> None:
    found = summed_up("bare", "match", 1, seen(answered(1, 0.5), answered(1, 0.7), answered(1, 0.6)))
    assert found.similarity == 0.6


def test_a_measurement_without_an_answer_is_none() -> None:
    with pytest.raises(NoAnswerError, match="plain compare, 3 clients: no answer in 4 s, 1 refusals, 2 failures"):
        summed_up("plain", "compare", 3, seen(Answer("refused", 1), Answer("failed", 1), Answer("failed", 1)))
