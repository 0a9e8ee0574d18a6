"""The window of recent calls."""

import pytest

from telemetry.call_window import MOST, WINDOW_S, Calls, CallWindow


def window(*seconds: float, now: float = 0.0) -> CallWindow:
    """One in which calls of so many seconds ended at 0."""
    made = CallWindow(lambda: now)
    for each in seconds:
        made.begin()
        made.end(-each, 0.0)
    return made


def test_without_calls_there_are_no_times() -> None:
    assert window().seen == Calls(0, 0, None, None)


def test_a_call_is_ongoing_until_it_ends() -> None:
    made = window()
    made.begin()
    made.begin()
    made.end(-1.0, 0.0)
    assert made.seen == Calls(1, 1, 1.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "p50", "p95"),
    [([3.0, 1.0], 1.0, 3.0), ([3.0, 1.0, 2.0], 2.0, 3.0), ([*map(float, range(1, 101))], 50.0, 95.0)],
)
def test_the_quantiles_are_those_of_the_nearest_rank(seconds: list[float], p50: float, p95: float) -> None:
    assert window(*seconds).seen == Calls(0, len(seconds), p50, p95)


@pytest.mark.parametrize(("now", "recent"), [(WINDOW_S, 1), (WINDOW_S + 1, 0)])
def test_what_ended_before_the_window_does_not_count(now: float, recent: int) -> None:
    assert window(1.0, now=now).seen.recent == recent


def test_only_the_newest_are_remembered() -> None:
    seen = window(*[9.0] * 10, *[1.0] * MOST).seen
    assert (seen.recent, seen.p95_s) == (MOST, 1.0)
