"""Statistics of a stage's recent calls."""

import pytest

from telemetry.call_window import MAX_CALLS, WINDOW_S, CallStatistics, CallWindow


def window(*seconds: float, now: float = 0.0) -> CallWindow:
    """A window with calls of these durations that ended at 0."""
    made = CallWindow(lambda: now)
    for each in seconds:
        made.begin()
        made.end(-each, 0.0)
    return made


def test_call_is_ongoing_until_it_ends() -> None:
    made = window()
    made.begin()
    assert made.statistics == CallStatistics(1, 0, None, None)
    made.end(-1.0, 0.0)
    assert made.statistics == CallStatistics(0, 1, 1.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "p50", "p95"),
    [([3.0, 1.0], 1.0, 3.0), ([3.0, 1.0, 2.0], 2.0, 3.0), ([*map(float, range(1, 101))], 50.0, 95.0)],
)
def test_quantiles_are_of_the_nearest_rank(seconds: list[float], p50: float, p95: float) -> None:
    assert window(*seconds).statistics == CallStatistics(0, len(seconds), p50, p95)


def test_only_the_newest_calls_within_the_window_count() -> None:
    assert window(1.0, now=WINDOW_S).statistics.recent == 1
    assert window(1.0, now=WINDOW_S + 1).statistics.recent == 0
    many = window(*[9.0] * 10, *[1.0] * MAX_CALLS).statistics
    assert (many.recent, many.p95_s) == (MAX_CALLS, 1.0)
