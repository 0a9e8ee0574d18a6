"""Runs a model on labelled photos, measures its error rates and writes the report."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from evaluation.answers import Answers, answers
from evaluation.configuration import Configuration
from evaluation.figures import Plan
from evaluation.groups import Grouped, read_groups
from evaluation.local_stages import face_stage, loaded_detector
from evaluation.report import Section, acquisition, group_rates, write_report
from evaluation.samples import PairProtocol, Sample, read_sample
from facegraph.cli.evaluation_tables import print_section
from facegraph.cli.output import escaped, print_line, tracking
from models.card import Card
from models.catalogue import card
from models.device import Device, Engine
from models.engines import load_network
from models.errors import ModelError
from models.store import Store
from project.root import ROOT

CARDS, CALIBRATED = "card", "calibrated"
"""Names of thresholds in the report."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A model's outputs on labelled photos.

    Attributes:
        entry: the model's card.
        groups: photos for the comparison of groups (one per person, labelled by group), and the model's outputs for
            them.
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
        rates: tuple[float, ...],
        calibration: Section | None,
        file: Path | None,
        replicates: int,
        seed: int,
    ) -> None:
        """Measure the error rates, print them and write the report.

        Args:
            rates: the error rates to find thresholds for.
            calibration: the report's section about the calibrated threshold, if there is one. Group false match rates
                are measured at this threshold, otherwise at the card's.
        """
        calibrated = {CALIBRATED: calibration["threshold"]} if calibration else {}
        photos, thresholds = self.sample.photos, {**self.thresholds, **calibrated}
        with tracking() as track:
            plan = Plan(thresholds, rates, replicates, seed, track)
            sections = self.sample.sections(self.answers, plan)
            if self.groups is not None:
                name = CALIBRATED if calibration else CARDS
                sections["groups"] = group_rates(name, thresholds[name], *self.groups, plan)
        gate = acquisition(photos, self.answers)
        file = file or ROOT / "data" / "evaluation" / f"{self.entry.name}.html"
        about = {**self.about, "intervals": f"95 %, bootstrap of {replicates:,} draws, seed {seed}"}
        title = f"{self.entry.name} on {len(photos)} photos"
        more = {"calibration": calibration} if calibration else {}
        beside = write_report(file, title, about, {"acquisition": gate, **sections, **more})
        print_line(f"photos {len(photos)}, faceless {len(gate['faceless'])}")
        for name, section in sections.items():
            print_section(name, section)
        print_line(f"[green]report[/] {escaped(str(file))}, data {escaped(str(beside))}")


def measure_model(
    configuration: Configuration,
    entry: Card,
    photos: Path,
    protocol: PairProtocol | None,
    groups: Path | None,
    detector: str | None,
    engine: Engine,
    store: Store,
) -> Measurement:
    """Run a model on all photos.

    Args:
        photos: labelled photos, as `evaluation.samples.read_sample` reads them.
        groups: CSV file that assigns photos to groups; see `evaluation.groups.read_groups`.
        detector: name of the detector's card. Default: the one configured for /v1.

    Raises:
        ModelError: the photos cannot be used, or `groups` are given for a model that is not an embedder.
    """
    if groups is not None and entry.task != "embedder":
        raise ModelError(f"{entry.name} is not an embedder: group false match rates need one")
    sample = read_sample(entry.task, photos, protocol)
    group_photos = read_groups(groups) if groups is not None else None
    detector_card = card(detector) if detector else configuration.detector
    about = {"photos": f"{len(sample.photos)} in {photos}"}
    with loaded_detector(detector_card, store) as finder, tracking() as track:
        network = face_stage(entry, load_network(entry, store, engine, Device()))
        found = answers(track(sample.photos, "photos"), finder, network)
        grouped = None
        if group_photos is not None:
            about["photos of groups"] = f"{len(group_photos.photos)} in {groups}"
            grouped = group_photos, answers(track(group_photos.photos, "photos of groups"), finder, network)
    return Measurement(
        entry,
        sample,
        found,
        grouped,
        {
            CARDS: entry.threshold("cosine" if entry.task == "embedder" else "live").value,
            **{f"configured ({role})": value for role, value in configuration.thresholds(entry).items()},
        },
        {
            "network": f"{entry.name}: {entry.title}",
            **({"embedding contract": entry.embedding_contract} if entry.task == "embedder" else {}),
            "engine": engine,
            "detector": detector_card.name,
            **about,
            "measured": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, with facegraph {version('facegraph')}",
            "command": shlex.join(["facegraph", *sys.argv[1:]]),
        },
    )
