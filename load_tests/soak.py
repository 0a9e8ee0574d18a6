"""`python -m load_tests.soak`: does a service under full load for minutes grow, or become slower?

The gallery's timers run faster, so that minutes show what hours would: compaction every 2 s instead of 20, clean-up
every 15 s instead of every hour. docs/load_testing.md describes load and verdict.
"""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from statistics import StatisticsError
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from load_tests.growth import RESOURCES, changes
from load_tests.locust_process import load
from load_tests.records import read
from load_tests.results import draw, machine, table
from load_tests.service import CONFIG, RESULTS, running_service

SAMPLE_S = 2
WARM_UP_S, WARM_UP_SHARE = 60, 0.2
"""The warm-up is the shorter of the two."""
# Without keys and rates, whatever the environment has for another service.
SETTINGS = {"GALLERY_OPTIMISE_S": "2", "GALLERY_CLEAN_S": "15", "REQUIRE_KEYS": "false", "RATE_LIMIT": "0"}


def without_autoscaling(config: Any) -> Any:
    """Give every deployment of a Serve configuration the fewest replicas that it may have."""
    for application in config["applications"]:
        for entry in application.get("deployments", []):
            if scaling := entry.pop("autoscaling_config", None):
                entry["num_replicas"] = max(1, scaling.get("min_replicas", 1))
    return config


def main(
    minutes: Annotated[float, typer.Option(min=1, max=60, help="Duration, with the warm-up.")] = 5,
    clients: Annotated[int, typer.Option(min=1, help="Clients; each sends one request at a time.")] = 4,
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A Serve configuration.")] = CONFIG,
) -> None:
    """Serve, send, look, compare, print, draw and write down."""
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
        raise SystemExit(f"too few answers: increase --minutes, or read {records.with_suffix('.log')}") from None
    unexpected = Counter(f"{each.name}: {each.problem}" for each in requests if each.problem and not each.refused)
    refused = sum(each.refused for each in requests)
    written = {"machine": ran_on, "minutes": minutes, "clients": clients, "config": made}
    written |= {"requests": Counter(each.name for each in requests), "refused": refused, "unexpected": unexpected}
    written |= {"changes": list(map(asdict, found)), "samples": list(map(asdict, samples))}
    (RESULTS / "soak.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    moments, answers = [each.at - start for each in samples], [each for each in requests if each.answered]
    dots = ([each.ended - start for each in answers], [each.milliseconds or 0 for each in answers], ",")
    panels = {what: {what: (moments, list(map(of, samples)), "-")} for what, (of, _) in RESOURCES.items()}
    draw(RESULTS / "soak.png", {**panels, "milliseconds": {"answers": dots}})
    shown = table("", "first quarter", "last quarter", "growth", "bound", "")
    for each in found:
        figures = (f"{value:,.{2 if each.first < 10 else 0}f}" for value in (each.first, each.last))
        bound = f"{each.bound:+.0%}" + (f" and {each.slack:g}" if each.slack else "")
        broken = "[red]broken[/]" if each.broken else ""
        shown.add_row(escape(each.what), *figures, f"{each.growth:+.1%}", bound, broken)
    console.print(shown, "")
    console.print(f"{len(requests):,} requests: {refused:,} refused for load, {unexpected.total():,} unexpected")
    for problem, count in unexpected.most_common(10):
        console.print(f"{count} times: {problem}", markup=False)
    if unexpected or any(each.broken for each in found):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
