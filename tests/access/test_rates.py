"""How often a caller may ask, by a clock that stands still."""

import pytest

from access.rates import Rates


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_caller_may_ask_in_a_burst_and_then_at_the_rate() -> None:
    clock = Clock()
    rates = Rates(2, 3, clock)
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.seconds += 0.5
    assert [rates.wait("a") for _ in range(2)] == [0, 0.5]
    clock.seconds += 0.25
    assert rates.wait("a") == pytest.approx(0.25)
    clock.seconds += 1000
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_asking_too_early_costs_nothing() -> None:
    clock = Clock()
    rates = Rates(1, 1, clock)
    assert rates.wait("a") == 0
    for _ in range(8):
        assert rates.wait("a") > 0
        clock.seconds += 0.125
    assert rates.wait("a") == 0


def test_callers_do_not_share() -> None:
    rates = Rates(1, 1, Clock())
    assert [rates.wait(caller) for caller in ("a", "b", "a")] == [0, 0, 1]


def test_without_a_rate_nobody_waits() -> None:
    rates = Rates(0, 1, Clock())
    assert {rates.wait("a") for _ in range(100)} == {0}


def test_of_too_many_callers_those_are_forgotten_that_asked_longest_ago() -> None:
    rates = Rates(1, 1, Clock(), most=2)

    def asked(caller: str) -> bool:
        return rates.wait(caller) == 0

    assert asked("a")
    assert asked("b")
    assert not asked("a")
    assert asked("c")
    assert not asked("a")
    assert asked("b")
    assert len(rates._buckets) == 2
