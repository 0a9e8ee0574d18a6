"""What a load test may not exceed, and whether it did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What passes; None sets no limit.

    Attributes:
        max_fail_ratio: requests that were refused or failed, of all.
        max_p95_ms: 95th percentile of the response times, in milliseconds.
        max_avg_ms: their mean, in milliseconds.
        min_rps: requests a second that were served.
    """

    max_fail_ratio: float | None = None
    max_p95_ms: float | None = None
    max_avg_ms: float | None = None
    min_rps: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured, in the units of `Limits`; `served` counts the requests that did not fail."""

    served: int
    fail_ratio: float
    p95_ms: float
    avg_ms: float
    rps: float


def broken(limits: Limits, outcome: Outcome) -> list[str]:
    """A line for each limit that was broken. Where nothing was served, no limit holds."""
    if limits == Limits():
        return []
    if not outcome.served:
        return ["no request was served"]
    found = []
    if limits.max_fail_ratio is not None and outcome.fail_ratio > limits.max_fail_ratio:
        found.append(f"--max-fail-ratio {limits.max_fail_ratio:g}: {outcome.fail_ratio:.4f} of the requests failed")
    if limits.max_p95_ms is not None and outcome.p95_ms > limits.max_p95_ms:
        found.append(f"--max-p95-ms {limits.max_p95_ms:g}: the 95th percentile was {outcome.p95_ms:.0f} ms")
    if limits.max_avg_ms is not None and outcome.avg_ms > limits.max_avg_ms:
        found.append(f"--max-avg-ms {limits.max_avg_ms:g}: the mean was {outcome.avg_ms:.1f} ms")
    if limits.min_rps is not None and outcome.rps < limits.min_rps:
        found.append(f"--min-rps {limits.min_rps:g}: {outcome.rps:.2f} requests a second were served")
    return found
