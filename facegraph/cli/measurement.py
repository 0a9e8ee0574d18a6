"""Asking the networks about photos, measuring their answers, and reporting the figures."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from evaluation.answers import Answers, answers
from evaluation.figures import Plan
from evaluation.groups import Grouped, measure_groups
from evaluation.report import Section, acquisition, group_rates, write_report
from evaluation.samples import Sample
from facegraph.cli.figures import show
from facegraph.cli.terminal import say, shown, tracking
from imaging.decode import Limits
from models.card import Card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import Engine, load_detector, load_network
from models.store import Store
from project.root import ROOT

CARDS, CALIBRATED = "the card's", "calibrated"
"""What thresholds are called."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A network's answers, and what they are measured against.

    Attributes:
        groups: photos of different people, with the network's answers.
        thresholds: the card's and the configured ones, by what they are called.
        about: what the report says about the measurement.
    """

    entry: Card
    sample: Sample
    answers: Answers
    groups: tuple[Grouped, Answers] | None
    thresholds: Mapping[str, float]
    about: Mapping[str, str]

    def report(
        self,
        chosen: Mapping[str, float],
        rates: tuple[float, ...],
        more: Mapping[str, Section],
        file: Path | None,
        replicates: int,
        seed: int,
    ) -> None:
        """Measure at all thresholds and rates, print the figures and write the report.

        Args:
            chosen: a calibrated threshold, or nothing; false matches by group are measured at it, or at the card's.
            more: further sections of the report.
        """
        photos, thresholds = self.sample.photos, {**self.thresholds, **chosen}
        with tracking() as track:
            plan = Plan(thresholds, rates, replicates, seed, track)
            sections = self.sample.sections(self.answers, plan)
            if self.groups is not None:
                name = next(iter(chosen), CARDS)
                columns = measure_groups(*self.groups, thresholds[name], plan)
                gate = acquisition(self.groups[0].photos, self.groups[1])
                sections["groups"] = group_rates(name, thresholds[name], gate, columns)
        gate = acquisition(photos, self.answers)
        file = file or ROOT / "data" / "evaluation" / f"{self.entry.name}.html"
        about = {**self.about, "intervals": f"95 %, bootstrap of {replicates:,} draws, seed {seed}"}
        title = f"{self.entry.name} on {len(photos)} photos"
        beside = write_report(file, title, about, {"acquisition": gate, **sections, **more})
        say(f"photos {len(photos)}, faceless {len(gate['faceless'])}")
        for name, section in sections.items():
            show(name, section)
        say(f"[green]report[/] {shown(str(file))}, figures {shown(str(beside))}")


def ask(
    entry: Card,
    detector: Card,
    engine: Engine,
    store: Store,
    sample: Sample,
    groups: Grouped | None,
    configured: Mapping[str, float],
    about: Mapping[str, str],
) -> Measurement:
    """Ask a network about all photos.

    Args:
        configured: the configured thresholds, by role.
        about: what the report says about the detector and the photos.
    """
    finder = load_detector(detector, store, "onnx", Device(), {})
    network = load_network(entry, store, engine, Device())
    detect = PhotoDetector(finder, Limits())
    try:
        with tracking() as track:
            found = answers(track(sample.photos, "photos"), detect, network, entry.crops)
            grouped = None
            if groups is not None:
                grouped = groups, answers(track(groups.photos, "photos of groups"), detect, network, entry.crops)
    finally:
        finder.close()
    return Measurement(
        entry,
        sample,
        found,
        grouped,
        {
            CARDS: entry.threshold("cosine" if entry.task == "embedder" else "live").value,
            **{f"the configured, {role}": value for role, value in configured.items()},
        },
        {
            "network": f"{entry.name}: {entry.title}",
            **({"embedding contract": entry.embedding_contract} if entry.task == "embedder" else {}),
            "engine": engine,
            **about,
            "measured": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, with facegraph {version('facegraph')}",
            "command": shlex.join(["facegraph", *sys.argv[1:]]),
        },
    )
