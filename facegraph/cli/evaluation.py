"""`facegraph models evaluate` and `calibrate`: measure a model on labelled photos and choose its threshold."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from evaluation.calibration import RateName, Target
from evaluation.configuration import Configuration
from evaluation.figures import percent, shortage, supports
from evaluation.samples import PairProtocol
from facegraph.cli.measurement import measure_model
from facegraph.cli.models import ConfigOption, StoreOption, store_for
from facegraph.cli.options import DEFAULT_CONFIG
from facegraph.cli.output import escaped, print_line
from models.card import Card
from models.catalogue import card, cards
from models.device import Engine
from models.errors import ModelError

Network = Annotated[
    str, typer.Argument(metavar="MODEL", help="An embedder or a liveness model, or its role in the configuration.")
]
Photos = Annotated[
    Path,
    typer.Option(
        "--photos",
        exists=True,
        help="For an embedder, a folder per person or a CSV of pairs; for liveness, a folder with live/ and spoof/.",
    ),
]
Groups = Annotated[
    Path | None,
    typer.Option(
        "--groups",
        exists=True,
        dir_okay=False,
        help="For an embedder: CSV file that assigns photos of different people to groups, to compare the groups' FMR.",
    ),
]
Detector = Annotated[
    str | None, typer.Option("--detector", help="The detector to use. Default: the one configured for /v1.")
]
EngineOption = Annotated[Engine, typer.Option("--engine", help="The engine that runs the model.")]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", dir_okay=False, help="HTML file to write. Default: data/evaluation/MODEL.html."),
]
Replicates = Annotated[int, typer.Option("--replicates", min=100, max=100_000, help="Number of bootstrap replicates.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Random seed of the bootstrap.")]


def evaluate_command(
    network: Network,
    photos: Photos,
    protocol: Annotated[
        PairProtocol | None,
        typer.Option(
            "--protocol", help="For an embedder and a CSV of pairs in LFW's order: report accuracy over folds."
        ),
    ] = None,
    groups: Groups = None,
    detector: Detector = None,
    engine: EngineOption = "onnx",
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    report: ReportFile = None,
    replicates: Replicates = 1000,
    seed: Seed = 0,
) -> None:
    """Measure a model on labelled photos: error rates with confidence intervals, plots and a report."""
    configuration = Configuration(config)
    entry = _network(configuration, network)
    pulled = store_for(store, config)
    measurement = measure_model(configuration, entry, photos, protocol, groups, detector, engine, pulled)
    measurement.report(measurement.sample.rates, None, report, replicates, seed)


def calibrate_command(
    network: Network,
    photos: Photos,
    fmr: Annotated[
        float | None, typer.Option("--fmr", min=0, max=1, help="For an embedder: maximum false match rate.")
    ] = None,
    apcer: Annotated[
        float | None,
        typer.Option("--apcer", min=0, max=1, help="For liveness: maximum proportion of attacks accepted as live."),
    ] = None,
    bpcer: Annotated[
        float | None,
        typer.Option(
            "--bpcer", min=0, max=1, help="For liveness: maximum proportion of live photos that are rejected."
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", exists=True, dir_okay=False, help="Configuration file to write the threshold to."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Continue even if there are too few photos for the rate.")
    ] = False,
    groups: Groups = None,
    detector: Detector = None,
    engine: EngineOption = "onnx",
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    report: ReportFile = None,
    replicates: Replicates = 1000,
    seed: Seed = 0,
) -> None:
    """Find the threshold for a target error rate on labelled photos, and optionally write it to a configuration."""
    configuration = Configuration(write or config)
    entry = _network(configuration, network)
    target = _target(entry, {"FMR": fmr, "APCER": apcer, "BPCER": bpcer})
    if write is not None:
        configuration.check(entry)
    pulled = store_for(store, write or config)
    measurement = measure_model(configuration, entry, photos, None, groups, detector, engine, pulled)
    sample = measurement.sample
    evidence = sample.evidence(measurement.answers, target.rate)
    lacking = shortage(target.at_most, evidence.trials, target.rate, evidence.counted)
    if not (force or supports(target.at_most, evidence.trials)):
        raise ModelError(f"{lacking} Use more photos, or --force")
    threshold = target.threshold(evidence.curve)
    calibration = {**asdict(target), "extreme": target.extreme, "threshold": threshold, "shortage": lacking}
    rates = sample.rates if target.rate == "BPCER" else tuple(sorted({*sample.rates, target.at_most}, reverse=True))
    measurement.report(rates, calibration, report, replicates, seed)
    print_line(f"threshold [bold]{threshold}[/] for {target.rate} at most {percent(target.at_most)}")
    if write is not None:
        roles = configuration.write(entry, threshold)
        print_line(
            f"[green]written[/] {escaped(str(write))}, for {', '.join(map(escaped, roles))}: `serve deploy` applies it"
        )


def _network(configuration: Configuration, name: str) -> Card:
    # A card's name takes precedence over a role of the same name.
    entry = card(name if name in cards() else configuration.model(name) or name)
    if entry.task == "detector":
        raise ModelError(f"{entry.name} is neither an embedder nor a liveness model")
    return entry


def _target(entry: Card, rates: Mapping[RateName, float | None]) -> Target:
    """Return the given rate, if there is exactly one and it applies to the model."""
    given = {rate: value for rate, value in rates.items() if value is not None}
    allowed: tuple[RateName, ...] = ("FMR",) if entry.task == "embedder" else ("APCER", "BPCER")
    if len(given) != 1 or not all(rate in allowed and value > 0 for rate, value in given.items()):
        options = " or ".join(f"--{rate.lower()}" for rate in allowed)
        raise ModelError(f"calibrating {entry.name} requires one rate above 0: {options}")
    [(rate, value)] = given.items()
    return Target(rate, value)
