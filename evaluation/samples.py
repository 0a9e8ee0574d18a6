"""What a network is measured on: photos of known people, or of live faces and spoofs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from evaluation import embedder, liveness, report
from evaluation.answers import Answers
from evaluation.comparisons import compare
from evaluation.figures import Plan
from evaluation.labelled import Labelled, read_labelled
from evaluation.verification import Curve, curve


class Sample(Protocol):
    """Photos and their labels."""

    @property
    def rates(self) -> tuple[float, ...]:
        """The false match rates, or APCERs, at which to measure."""

    @property
    def rate(self) -> str:
        """What these rates are called."""

    @property
    def trials(self) -> str:
        """What the trials behind them are called."""

    @property
    def photos(self) -> tuple[Path, ...]:
        """All of them."""

    def curve(self, answers: Answers) -> tuple[Curve, int]:
        """The error rates of a network that gave these answers, and how many trials the false match rate has."""

    def sections(self, answers: Answers, plan: Plan) -> dict[str, report.Section]:
        """The parts of a report: `embedder.measure`, `liveness.measure_liveness`."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Photos of known subjects, for an embedder."""

    labelled: Labelled
    rates: tuple[float, ...] = embedder.FMRS
    rate: str = "FMR"
    trials: str = embedder.TRIALS

    @property
    def photos(self) -> tuple[Path, ...]:
        return self.labelled.photos

    def curve(self, answers: Answers) -> tuple[Curve, int]:
        comparisons = compare(self.labelled, answers)
        genuine = comparisons.genuine
        return curve(comparisons.scores[genuine], comparisons.scores[~genuine]), int(np.sum(~genuine))

    def sections(self, answers: Answers, plan: Plan) -> dict[str, report.Section]:
        measured = embedder.measure(self.labelled, answers, plan)
        sections = {"verification": report.verification(measured, plan.thresholds)}
        if measured.identification:
            sections["identification"] = report.identification(measured.identification)
        return sections


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Photos of live faces and of spoofs, for a liveness network."""

    presentations: liveness.Presentations
    rates: tuple[float, ...] = liveness.APCERS
    rate: str = "APCER"
    trials: str = liveness.TRIALS

    @property
    def photos(self) -> tuple[Path, ...]:
        return self.presentations.photos

    def curve(self, answers: Answers) -> tuple[Curve, int]:
        scores = liveness.by_species(self.presentations, answers)
        return liveness.worst_curve(scores), liveness.fewest_attacks(scores)

    def sections(self, answers: Answers, plan: Plan) -> dict[str, report.Section]:
        measured = liveness.measure_liveness(liveness.by_species(self.presentations, answers), plan)
        return {"liveness": report.liveness(measured, plan.thresholds)}


def read_sample(task: str, source: Path) -> Sample:
    """The photos for a network of this task; raises `ModelError` where they are not fit for it."""
    return People(read_labelled(source)) if task == "embedder" else Faces(liveness.read_presentations(source))
