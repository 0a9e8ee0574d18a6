"""Processes at work, and the stretch of time that counts."""

import os

import pytest

from load_tests.watch import EndedError, watch

AT_WORK = """
import time
from load_tests.work import Answer, work
def task():
    time.sleep(0.01)
    return Answer("answered", 10.0, 0.5, {"step": 1.0})
work([task] * 2)
"""


def test_only_what_arrives_in_the_stretch_counts() -> None:
    watched = watch([["-c", AT_WORK], ["-c", AT_WORK]], 0.3)
    # Each of four threads works for a second before the stretch begins, and for the stretch ten milliseconds at a time.
    assert 4 <= len(watched.arrived) <= 4 * 31
    assert 2 <= watched.answered <= 4 * 31
    assert {(answer.similarity, answer.steps["step"]) for answer in watched.arrived} == {(0.5, 1.0)}


def test_the_workers_are_the_server_if_there_is_no_other() -> None:
    watched = watch([["-c", AT_WORK]], 0.1)
    assert watched.workers_s == 0
    assert watched.memory_mib > 1


def test_a_server_is_watched_beside_the_workers() -> None:
    asked: list[int] = []

    def server() -> list[int]:
        asked.append(os.getpid())
        return [os.getpid()]

    burning = AT_WORK.replace("time.sleep(0.01)", "sum(range(10_000_000))")
    watched = watch([["-c", burning]], 0.5, server)
    assert len(asked) == 2
    assert watched.workers_s > watched.server_s


def test_a_variable_reaches_the_workers() -> None:
    telling = AT_WORK.replace("0.5", "float(os.environ['TOLD'])").replace("import time", "import os, time")
    watched = watch([["-c", telling]], 0.1, TOLD="0.75")
    assert {answer.similarity for answer in watched.arrived} == {0.75}


def test_a_worker_that_fails_ends_the_measurement_with_its_words() -> None:
    failing = AT_WORK.replace("time.sleep(0.01)", "raise RuntimeError('no such photo')")
    with pytest.raises(EndedError, match="no such photo"):
        watch([["-c", AT_WORK], ["-c", failing]], 0.1)
