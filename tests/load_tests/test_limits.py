"""The limits of a load test."""

import pytest

from load_tests.limits import Limits, Outcome, broken

OUTCOME = Outcome(served=95, fail_ratio=0.05, p95_ms=800, avg_ms=300, rps=4.5)


@pytest.mark.parametrize(
    ("holds", "breaks", "line"),
    [
        (Limits(max_fail_ratio=0.05), Limits(max_fail_ratio=0.04), "--max-fail-ratio 0.04: 0.0500 of the requests"),
        (Limits(max_p95_ms=800), Limits(max_p95_ms=799), "--max-p95-ms 799: the 95th percentile was 800 ms"),
        (Limits(max_avg_ms=300), Limits(max_avg_ms=299.5), "--max-avg-ms 299.5: the mean was 300.0 ms"),
        (Limits(min_rps=4.5), Limits(min_rps=5), "--min-rps 5: 4.50 requests a second"),
    ],
)
def test_each_limit_holds_up_to_its_value(holds: Limits, breaks: Limits, line: str) -> None:
    assert broken(holds, OUTCOME) == []
    [said] = broken(breaks, OUTCOME)
    assert said.startswith(line)


def test_every_broken_limit_is_said() -> None:
    assert len(broken(Limits(0, 0, 0, 100), OUTCOME)) == 4


def test_a_limit_of_zero_is_one() -> None:
    assert broken(Limits(max_fail_ratio=0), OUTCOME)


def test_no_limit_holds_where_nothing_was_served() -> None:
    nothing = Outcome(served=0, fail_ratio=0, p95_ms=0, avg_ms=0, rps=0)
    assert broken(Limits(), nothing) == []
    assert broken(Limits(max_p95_ms=800), nothing) == ["no request was served"]
