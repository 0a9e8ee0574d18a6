"""The rounds of a benchmark: the same measurements over and over, since machines are noisy."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from facegraph.step_times import medians
from load_tests.bench.measure import Measurement, What

Round = Sequence[Measurement]
"""The measurements of one round."""

NUMBERS = ("rate", "p50", "p95", "p99", "server_cpu", "client_cpu", "others_cpu", "memory", "similarity")


def best(measurements: Iterable[Measurement], what: What, route: str) -> Measurement | None:
    """Of the measurements of `what` on `route` the one with the highest rate."""
    of_it = [entry for entry in measurements if entry.what == what and entry.route == route]
    return max(of_it, key=lambda entry: entry.rate, default=None)


def over_rounds(rounds: Iterable[Round]) -> list[Measurement]:
    """One measurement of each kind, in the order of the first round.

    Its numbers are medians over the rounds that have it; answers, refusals and failures are summed up.
    """
    kinds: dict[tuple[str, str, int], list[Measurement]] = {}
    for round_ in rounds:
        for entry in round_:
            kinds.setdefault((entry.what, entry.route, entry.clients), []).append(entry)
    return [_typical(entries) for entries in kinds.values()]


def _typical(entries: Sequence[Measurement]) -> Measurement:
    return replace(
        entries[-1],
        steps=medians(entry.steps for entry in entries),
        **{name: median(getattr(entry, name) for entry in entries) for name in NUMBERS},
        **{name: sum(getattr(entry, name) for entry in entries) for name in ("answers", "refused", "failed")},
    )
