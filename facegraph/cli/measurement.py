"""Runs a model on labelled photos, measures its error rates and writes the report."""

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
from facegraph.cli.evaluation_tables import print_section
from facegraph.cli.output import escaped, print_line, tracking
from imaging.decode import Limits
from models.card import Card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import Engine, load_detector, load_network
from models.store import Store
from project.root import ROOT

CARDS, CALIBRATED = "the card's", "calibrated"
"""Names of thresholds in the report."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A model's answers for labelled photos.

    Attributes:
        entry: the model's card.
        sample: the photos and their labels.
        answers: the model's answer for each photo.
        groups: photos of different people in groups, and the model's answers for them.
        thresholds: the card's and the configured thresholds by name.
        about: facts about the measurement for the report.
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
        """Measure the error rates, print them and write the report.

        Args:
            chosen: a calibrated threshold, or empty. False matches by group are measured at it, or at the card's.
            rates: the error rates to find thresholds for.
            more: further sections of the report.
            file: where to write the report, or None for the default.
            replicates: number of bootstrap replicates.
            seed: random seed of the bootstrap.
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
        print_line(f"photos {len(photos)}, faceless {len(gate['faceless'])}")
        for name, section in sections.items():
            print_section(name, section)
        print_line(f"[green]report[/] {escaped(str(file))}, figures {escaped(str(beside))}")


def run_model(
    entry: Card,
    detector: Card,
    engine: Engine,
    store: Store,
    sample: Sample,
    groups: Grouped | None,
    configured: Mapping[str, float],
    about: Mapping[str, str],
) -> Measurement:
    """Run a model on all photos.

    Args:
        entry: the model's card.
        detector: the detector's card.
        engine: what runs the model.
        store: where the models are.
        sample: the photos and their labels.
        groups: photos of different people in groups, or None.
        configured: the configured thresholds by role.
        about: facts about the detector and the photos for the report.
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
