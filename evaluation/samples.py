"""The photos on which a model is measured: photos of known people, or of live faces and attacks."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from evaluation import embedder, lfw, liveness, report
from evaluation.answers import Answers
from evaluation.calibration import Evidence, RateName
from evaluation.comparisons import compare
from evaluation.figures import Plan
from evaluation.labelled import Labelled, read_labelled
from evaluation.verification import curve
from models.errors import ModelError

PairProtocol = Literal["lfw"]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Photos of known subjects, for an embedder. `rates` are the false match rates at which the model is measured."""

    labelled: Labelled
    rates: tuple[float, ...] = embedder.FMRS

    @property
    def photos(self) -> tuple[Path, ...]:
        """The paths of all photos."""
        return self.labelled.photos

    def evidence(self, answers: Answers, rate: RateName) -> Evidence:
        """Return the data from which to calibrate a threshold for `rate`, given a model's outputs."""
        comparisons = compare(self.labelled, answers)
        genuine = comparisons.genuine
        found = curve(comparisons.scores[genuine], comparisons.scores[~genuine])
        return Evidence(found, int(np.sum(~genuine)), embedder.IMPOSTOR_TRIALS)

    def sections(self, answers: Answers, plan: Plan) -> dict[str, report.Section]:
        """Measure a model from its outputs, and return the sections of the report."""
        measured = embedder.measure_embedder(self.labelled, answers, plan)
        sections = {"verification": report.verification(measured, plan.thresholds)}
        if measured.identification:
            sections["identification"] = report.identification(measured.identification)
        return sections


@dataclass(frozen=True, slots=True, eq=False)
class LfwPairs(People):
    """Pairs in the order of LFW's View 2. Rates are measured even if there are too few pairs."""

    rates: tuple[float, ...] = lfw.FMRS

    def sections(self, answers: Answers, plan: Plan) -> dict[str, report.Section]:
        accuracy = lfw.fold_accuracy(self.labelled, answers)
        return {"lfw": asdict(accuracy), **People.sections(self, answers, replace(plan, unsupported=True))}


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Photos of live faces and of attacks, for a liveness model, with the interface of `People`. `rates` are APCERs."""

    presentations: liveness.Presentations
    rates: tuple[float, ...] = liveness.APCERS

    @property
    def photos(self) -> tuple[Path, ...]:
        return self.presentations.photos

    def evidence(self, answers: Answers, rate: RateName) -> Evidence:
        found = liveness.by_kind(self.presentations, answers)
        if rate == "BPCER":
            return Evidence(found.worst_curve(), len(found.live), "live photos")
        return Evidence(found.worst_curve(), found.fewest, liveness.ATTACK_TRIALS)

    def sections(self, answers: Answers, plan: Plan) -> dict[str, report.Section]:
        measured = liveness.measure_liveness(liveness.by_kind(self.presentations, answers), plan)
        return {"liveness": report.liveness(measured, plan.thresholds)}


Sample: TypeAlias = People | Faces


def read_sample(task: str, source: Path, protocol: PairProtocol | None = None) -> Sample:
    """Read the photos for a model with this task.

    Raises:
        ModelError: they are not suitable for the task or the protocol.
    """
    if task != "embedder":
        if protocol is not None:
            raise ModelError(f"the protocol {protocol} is for embedders")
        return Faces(liveness.read_presentations(source))
    labelled = read_labelled(source)
    if protocol is None:
        return People(labelled)
    lfw.check_folds(labelled)
    return LfwPairs(labelled)
