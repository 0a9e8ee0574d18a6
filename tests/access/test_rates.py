"""Rate limits, with a clock that the test moves."""

import pytest

from access.rates import Rates
from tests.access import Clock


def test_a_caller_may_send_a_burst_and_then_keep_to_the_rate() -> None:
    clock = Clock()
    rates = Rates(2, 3, clock)
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.seconds += 0.5
    assert [rates.wait("a") for _ in range(2)] == [0, 0.5]
    clock.seconds += 0.25
    assert rates.wait("a") == pytest.approx(0.25)
    clock.seconds += 1000
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_refused_requests_do_not_prolong_the_wait() -> None:
    clock = Clock()
    rates = Rates(1, 1, clock)
    assert rates.wait("a") == 0
    for _ in range(8):
        assert rates.wait("a") > 0
        clock.seconds += 0.125
    assert rates.wait("a") == 0


def test_without_a_rate_there_is_no_limit() -> None:
    rates = Rates(0, 1, Clock())
    assert {rates.wait("a") for _ in range(100)} == {0}


def test_callers_are_independent_and_the_least_recent_one_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.rates.MAX_CALLERS", 2)
    rates = Rates(1, 1, Clock())
    assert [rates.wait(caller) == 0 for caller in "abacab"] == [True, True, False, True, False, True]
