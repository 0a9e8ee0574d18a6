"""`python -m load_tests.soak`: checks that a service under full load neither leaks resources nor slows down.

See docs/load_testing.md.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import StatisticsError, median
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from load_tests import CONFIG, RESULTS
from load_tests.processes import GALLERY_FILES, RESOURCES, Sample
from load_tests.programs import ConfigOption, load, running_service
from load_tests.records import Request, read
from load_tests.results import draw, machine, save, table

SAMPLE_S = 2
WARM_UP_S, WARM_UP_SHARE = 60, 0.2
"""Maximum warm-up, in seconds and as a share of the whole run."""
# The gallery's timers run faster than usual. Keys and rates are off, even if the environment sets them.
SETTINGS = {"GALLERY_OPTIMISE_S": "2", "GALLERY_CLEAN_S": "15", "REQUIRE_KEYS": "false", "RATE_LIMIT": "0"}
MAX_GROWTH, MAX_SLOWDOWN, ANY_ROUTE = 0.10, 0.25, 1.0
"""Maximum growth of a resource, of a typical route's time, and of any route's time, as fractions.

The last one is large, because a single route's time is a median of few responses."""
FEWEST = 10
"""Minimum number of responses of a route in each quarter for its time to count."""

SLACK = {GALLERY_FILES: 50}
"""How much a resource may grow in addition to `MAX_GROWTH`: commits leave files until the next clean-up."""


@dataclass(frozen=True)
class Change:
    """A value in the run's first and last quarters. It may grow by the fraction `bound`, plus `slack`."""

    what: str
    first: float
    last: float
    bound: float
    slack: float = 0.0

    @property
    def growth(self) -> float:
        """The growth as a fraction; negative if the value decreased."""
        if self.first:
            return self.last / self.first - 1
        return float("inf") if self.last else 0.0

    @property
    def broken(self) -> bool:
        """Whether the value grew too much."""
        return self.last > self.first * (1 + self.bound) + self.slack


def changes(begin: float, end: float, samples: Iterable[Sample], requests: Iterable[Request]) -> list[Change]:
    """Return how all values of a service changed between two moments of `time.monotonic`.

    These are its resources, the replicas that exited, the time of a typical route (the median of all routes' ratios),
    and the time of each route, the slowest first. Only expected responses count, and only routes with enough of them.
    Raises StatisticsError if a quarter has no sample, or no route has enough responses.
    """
    length = (end - begin) / 4
    spans = ((begin, begin + length), (end - length, end))
    first, last = ([each for each in samples if start <= each.at < stop] for start, stop in spans)
    found = list[Change]()
    for what in RESOURCES:
        early, late = (median(each.used[what] for each in part) for part in (first, last))
        found.append(Change(what, early, late, MAX_GROWTH, SLACK.get(what, 0)))
    # If a replica exits, what it leaked is freed and cannot be seen.
    found.append(Change("replicas that ended", 0, len(first[0].replicas.keys() - last[-1].replicas.keys()), 0))
    routes, answers = [], [each for each in requests if each.answered]
    for name in {each.name for each in answers}:
        route = [each for each in answers if each.name == name]
        times = [[each.milliseconds or 0 for each in route if start <= each.ended < stop] for start, stop in spans]
        if min(map(len, times)) >= FEWEST:
            early, late = map(median, times)
            routes.append(Change(f"{name}, ms", early, late, ANY_ROUTE))
    typical = Change("time of a typical route", 1.0, 1 + median(route.growth for route in routes), MAX_SLOWDOWN)
    return [*found, typical, *sorted(routes, key=lambda route: -route.last)]


def without_autoscaling(config: Any) -> Any:
    """Fix each deployment of a Serve configuration at its minimum number of replicas, and at least at 1."""
    for application in config["applications"]:
        for entry in application.get("deployments", []):
            if scaling := entry.pop("autoscaling_config", None):
                entry["num_replicas"] = max(1, scaling.get("min_replicas", 1))
    return config


def main(
    minutes: Annotated[float, typer.Option(min=1, max=60, help="Duration, including the warm-up.")] = 5,
    clients: Annotated[int, typer.Option(min=1, help="Clients; each sends one request at a time.")] = 4,
    config: ConfigOption = CONFIG,
) -> None:
    """Run the service under load, compare its first and last quarters, and print, plot and save the results.

    The exit status is 1 if a value grew too much or a response was unexpected.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    path, records, console = RESULTS / "soak.yaml", RESULTS / "soak.jsonl", Console()
    made = without_autoscaling(yaml.safe_load(config.read_text("utf-8")))
    path.write_text(yaml.safe_dump(made, sort_keys=False), "utf-8")
    ran_on, length = machine(), 60 * minutes
    with running_service(path, **SETTINGS) as service, load(service.address, "MixedUser", clients, records):
        samples = service.samples(length, SAMPLE_S)
    start, requests, warm_up = samples[0].at, read(records), min(WARM_UP_S, WARM_UP_SHARE * length)
    try:
        found = changes(start + warm_up, start + length, samples, requests)
    except StatisticsError:
        raise SystemExit(f"too few responses: increase --minutes, or read {records.with_suffix('.log')}") from None
    unexpected = Counter(f"{each.name}: {each.problem}" for each in requests if each.problem and not each.refused)
    refused = sum(each.refused for each in requests)
    written = {"machine": ran_on, "minutes": minutes, "clients": clients, "config": made}
    written |= {"requests": Counter(each.name for each in requests), "refused": refused, "unexpected": unexpected}
    written |= {"changes": list(map(asdict, found)), "samples": list(map(asdict, samples))}
    save("soak", written)
    figures = {what: [each.used[what] for each in samples] for what in RESOURCES}
    draw(RESULTS / "soak.png", samples, figures, requests)
    shown = table("", "first quarter", "last quarter", "growth", "limit", "")
    for each in found:
        values = (f"{value:,.{2 if each.first < 10 else 0}f}" for value in (each.first, each.last))
        bound = f"{each.bound:+.0%}" + (f" and {each.slack:g}" if each.slack else "")
        broken = "[red]exceeded[/]" if each.broken else ""
        shown.add_row(escape(each.what), *values, f"{each.growth:+.1%}", bound, broken)
    console.print(shown, "")
    console.print(f"{len(requests):,} requests: {refused:,} refused because of load, {unexpected.total():,} unexpected")
    for problem, count in unexpected.most_common(10):
        console.print(f"{count} times: {problem}", markup=False)
    if unexpected or any(each.broken for each in found):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
