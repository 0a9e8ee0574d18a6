"""`facegraph models evaluate` and `calibrate`: measuring a network on labelled photos, and choosing its threshold."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, TypeVar, cast

import typer
from rich.table import Table

from evaluation.answers import Answers, answers
from evaluation.calibration import calibrated
from evaluation.configuration import Configuration, Task
from evaluation.figures import Plan, percent, rounded, shortage, supports
from evaluation.progress import Track
from evaluation.report import Section, acquisition, write_report
from evaluation.samples import Sample, read_sample
from facegraph.cli.models import ConfigOption, StoreOption
from facegraph.cli.options import DEFAULT_CONFIG
from facegraph.cli.terminal import console, progress, say, shown
from graphs.settings import ROOT
from imaging.decode import Limits
from models.card import Card
from models.catalogue import card, cards
from models.detection import PhotoDetector
from models.device import Device
from models.engines import Engine, load_detector, load_network
from models.errors import ModelError
from models.store import DEFAULT_STORE, Store

Item = TypeVar("Item")

Network = Annotated[str, typer.Argument(help="An embedder or a liveness network, or its role in the configuration.")]
Photos = Annotated[
    Path,
    typer.Option(
        "--photos",
        exists=True,
        help="For an embedder a folder a person, or a CSV of pairs; for liveness a folder with live/ and spoof/.",
    ),
]
Detector = Annotated[str, typer.Option("--detector", help="The detector before it.")]
EngineOption = Annotated[Engine, typer.Option("--engine", help="What runs the network.")]
ReportFile = Annotated[
    Path | None, typer.Option("--report", dir_okay=False, help="Default: data/evaluation/NETWORK.html.")
]
Replicates = Annotated[int, typer.Option("--replicates", min=100, max=100_000, help="Draws of the bootstrap.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")]


def evaluate(
    network: Network,
    photos: Photos,
    detector: Detector = "mtcnn",
    engine: EngineOption = "onnx",
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = DEFAULT_STORE,
    report: ReportFile = None,
    replicates: Replicates = 1000,
    seed: Seed = 0,
) -> None:
    """Measure a network on labelled photos: error rates with intervals, plots and a report."""
    asked = _ask(Configuration(config), network, photos, detector, engine, Store(store))
    _measure(asked, {}, asked.sample.rates, {}, report, replicates, seed)


def calibrate(
    network: Network,
    photos: Photos,
    fmr: Annotated[
        float | None, typer.Option("--fmr", min=0, max=1, help="Of an embedder: the wished false match rate.")
    ] = None,
    apcer: Annotated[
        float | None, typer.Option("--apcer", min=0, max=1, help="Of liveness: how often an attack may pass.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", exists=True, dir_okay=False, help="A configuration to write it into.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if the photos are too few for that rate.")] = False,
    detector: Detector = "mtcnn",
    engine: EngineOption = "onnx",
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = DEFAULT_STORE,
    report: ReportFile = None,
    replicates: Replicates = 1000,
    seed: Seed = 0,
) -> None:
    """Find the threshold for a wished error rate on labelled photos, and write it where the service reads it."""
    configuration = Configuration(write or config)
    entry = _network(configuration, network)
    wished, other = (fmr, apcer) if entry.task == "embedder" else (apcer, fmr)
    if not wished or other is not None:
        option = "--fmr" if entry.task == "embedder" else "--apcer"
        raise ModelError(f"a threshold of {entry.name} is for a rate above 0, given with {option} alone")
    if write is not None:
        configuration.check(cast(Task, entry.task), entry.name)
    asked = _ask(configuration, network, photos, detector, engine, Store(store))
    sample = asked.sample
    curve, trials = sample.curve(asked.answers)
    lacking = shortage(wished, trials, sample.rate, sample.trials)
    if not (force or supports(wished, trials)):
        raise ModelError(f"{lacking} Take more photos, or use --force")
    threshold = calibrated(curve, wished)
    chosen = {"rate": sample.rate, "wished": wished, "threshold": threshold, "shortage": lacking}
    rates = tuple(sorted({*sample.rates, wished}, reverse=True))
    _measure(asked, {"calibrated": threshold}, rates, {"calibration": chosen}, report, replicates, seed)
    say(f"threshold [bold]{threshold}[/] for {sample.rate} at most {percent(wished)}")
    if write is not None:
        roles = configuration.write(cast(Task, entry.task), entry.name, threshold)
        say(f"[green]written[/] {shown(str(write))}, for {', '.join(map(shown, roles))}: `serve deploy` applies it")


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A network, the photos that it was asked about, and what it answered.

    Attributes:
        thresholds: the card's and the configured ones, by what they are called.
        about: for the report.
    """

    entry: Card
    sample: Sample
    answers: Answers
    thresholds: Mapping[str, float]
    about: Mapping[str, str]


def _network(configuration: Configuration, name: str) -> Card:
    # A card's name is a card's, even if a role is called so too.
    entry = card(name if name in cards() else configuration.model(name) or name)
    if entry.task == "detector":
        raise ModelError(f"{entry.name} is neither an embedder nor a liveness network")
    return entry


def _ask(
    configuration: Configuration, network: str, photos: Path, detector: str, engine: Engine, store: Store
) -> _Asked:
    entry, device = _network(configuration, network), Device()
    sample = read_sample(entry.task, photos)
    finder = load_detector(card(detector), store, "onnx", device, {})
    loaded = load_network(entry, store, engine, device)
    try:
        with _tracking() as track:
            found = answers(track(sample.photos, "photos"), PhotoDetector(finder, Limits()), loaded, entry.crops)
    finally:
        if hasattr(finder, "close"):
            # MediaPipe's prints a traceback where the interpreter has to do it.
            finder.close()
    configured = configuration.thresholds(cast(Task, entry.task), entry.name)
    return _Asked(
        entry,
        sample,
        found,
        {
            "the card's": entry.threshold("cosine" if entry.task == "embedder" else "live").value,
            **{f"the configured, {role}": value for role, value in configured.items()},
        },
        {
            "network": f"{entry.name}: {entry.title}",
            **({"embedding contract": entry.embedding_contract} if entry.task == "embedder" else {}),
            "engine": engine,
            "detector": detector,
            "photos": f"{len(sample.photos)} in {photos}",
            "measured": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, with facegraph {version('facegraph')}",
            "command": shlex.join(["facegraph", *sys.argv[1:]]),
        },
    )


def _measure(
    asked: _Asked,
    chosen: Mapping[str, float],
    rates: tuple[float, ...],
    more: Mapping[str, Section],
    report: Path | None,
    replicates: int,
    seed: int,
) -> None:
    """Measure at all thresholds and rates, show it and report it."""
    photos = asked.sample.photos
    thresholds = {**asked.thresholds, **chosen}
    with _tracking() as track:
        sections = asked.sample.sections(asked.answers, Plan(thresholds, rates, replicates, seed, track))
    gate = acquisition(photos, asked.answers)
    file = report or ROOT / "data" / "evaluation" / f"{asked.entry.name}.html"
    about = {**asked.about, "intervals": f"95 %, bootstrap of {replicates:,} draws, seed {seed}"}
    title = f"{asked.entry.name} on {len(photos)} photos"
    beside = write_report(file, title, about, {"acquisition": gate, **sections, **more})
    say(f"photos {len(photos)}, faceless {len(gate['faceless'])}")
    for name, section in sections.items():
        _show(name, section)
    say(f"[green]report[/] {shown(str(file))}, figures {shown(str(beside))}")


def _show(name: str, section: Section) -> None:
    """The figures of a part of the report."""
    rate, miss = {"verification": ("FMR", "FNMR"), "liveness": ("APCER", "BPCER")}.get(name, ("FPIR", "FNIR"))
    curve = section.get("open_set", section)
    table = Table(name, "threshold", rate, miss, box=None, header_style="bold")
    for point in curve["points"]:
        table.add_row(point["name"], f"{point['threshold']['value']:.4f}", _rate(point["fmr"]), _rate(point["fnmr"]))
    if name == "verification":
        pairs = f"{section['genuine_pairs']} genuine, {section['impostor_pairs']} impostor"
        say(f"subjects {section['subjects']}, pairs {pairs}")
    console.print(table)
    if curve is section:
        say(f"AUC {curve['auc']['value']:.5f}, EER {_rate(curve['eer'])}")
    for rank, estimate in section.get("ranks", {}).items():
        say(f"rank {rank} {_rate(estimate)}")
    for sentence in curve["unsupported"]:
        say(sentence)


def _rate(estimate: Mapping[str, float]) -> str:
    return f"{rounded(estimate['value'])} ({rounded(estimate['low'])} to {rounded(estimate['high'])})"


@contextmanager
def _tracking() -> Iterator[Track]:
    """A progress bar for the steps of the block."""
    with progress() as report:

        def track(items: Sequence[Item], what: str) -> Iterable[Item]:
            for done, item in enumerate(items):
                report(what, done, len(items))
                yield item

        yield track
