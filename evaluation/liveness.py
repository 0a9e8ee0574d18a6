"""Measures a liveness model: attacks that pass, and live faces that are rejected (ISO/IEC 30107-3).

A photo is classified as live when its live probability is at or above the threshold. The APCER of a kind of attack is
the share of its photos that are classified as live. BPCER is the share of live photos that are classified as spoofs.
Both rates count only photos with a face.

Results are for the kind of attack with the highest APCER. Only kinds with at least `ENOUGH` photos with a face are
compared, since the APCER of a kind with one photo is 0 or 100 %. If no kind has enough photos, all attacks are counted
together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.answers import Answers
from evaluation.figures import Figures, Plan, RequestedPoints, figures
from evaluation.intervals import Estimate, percentile_interval, wilson
from evaluation.labelled import photos_in
from evaluation.verification import Curve, Scores, curve
from models.errors import ModelError

APCERS = (0.10, 0.05, 0.01)
LIVE, SPOOF, ALL = "live", "spoof", "all attacks"
ENOUGH = 20
"""Minimum number of photos with a face for a kind of attack to be compared with others."""
ATTACK_TRIALS = "photos of the smallest compared attack"


@dataclass(frozen=True, slots=True, eq=False)
class Presentations:
    """Photos of live faces and of attacks.

    Attributes:
        kinds: kind of each photo: ``live``, ``spoof``, or ``spoof/`` followed by the name of the folder.
    """

    photos: tuple[Path, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Probabilities:
    """Live probabilities of the photos with a face.

    Attributes:
        live: float64 (photos).
        attacks: float64 (photos) by kind of attack; empty for a kind without a face.
        faceless: number of photos without a face by kind, including ``live``.
    """

    live: Scores
    attacks: Mapping[str, Scores]
    faceless: Mapping[str, int]

    @property
    def seen(self) -> dict[str, Scores]:
        """Kinds of attack with at least one face."""
        return {kind: scores for kind, scores in self.attacks.items() if len(scores)}

    @property
    def together(self) -> dict[str, Scores]:
        """All attacks as one kind."""
        return {ALL: np.concatenate(list(self.attacks.values()))}

    @property
    def compared(self) -> dict[str, Scores]:
        """Kinds that are compared: those with at least `ENOUGH` photos, or else all attacks as one kind."""
        return {kind: scores for kind, scores in self.attacks.items() if len(scores) >= ENOUGH} or self.together

    @property
    def fewest(self) -> int:
        """Number of photos of the smallest compared kind."""
        return min(map(len, self.compared.values()))

    @property
    def rule(self) -> str:
        """A sentence that describes which kinds are compared."""
        if [*self.compared] == [ALL]:
            return f"All attacks are counted together: no kind has {ENOUGH} photos with a face."
        kinds = ", ".join(self.compared)
        return f"The worst APCER is the highest of the kinds with at least {ENOUGH} photos with a face: {kinds}."

    def worst_curve(self) -> Curve:
        """Return the curve of the highest APCER of the compared kinds (as FMR) and of BPCER (as FNMR)."""
        curves = [curve(self.live, attacks) for attacks in self.compared.values()]
        thresholds = np.unique(np.concatenate([each.thresholds for each in curves]))
        # A threshold between two thresholds of a curve has the rates of the higher one.
        places = [np.minimum(np.searchsorted(each.thresholds, thresholds), len(each.thresholds) - 1) for each in curves]
        apcer = np.max([each.fmr[place] for each, place in zip(curves, places, strict=True)], axis=0)
        return Curve(thresholds, apcer, curves[0].fnmr[places[0]])

    def areas(self) -> dict[str, float]:
        """Return the area under the ROC curve for each compared kind and for all attacks."""
        kinds = {**self.compared, **self.together}
        return {kind: curve(self.live, attacks).area() for kind, attacks in kinds.items()}

    def replicates(self, plan: Plan) -> Iterator["Probabilities"]:
        """Yield bootstrap replicates, which draw photos with replacement within each kind."""
        random = np.random.default_rng(plan.seed)
        for _ in plan.track(range(plan.replicates), "bootstrap"):
            live = random.choice(self.live, len(self.live))
            drawn = {kind: random.choice(scores, len(scores)) for kind, scores in self.seen.items()}
            yield Probabilities(live, drawn, self.faceless)


@dataclass(frozen=True, slots=True, eq=False)
class LivenessRates:
    """Error rates at one threshold, with Wilson intervals. Photos are treated as independent.

    Attributes:
        apcer: APCER of each kind of attack with at least one face, and of all attacks together.
        worst: compared kind with the highest APCER.
    """

    name: str
    threshold: float
    apcer: Mapping[str, Estimate]
    bpcer: Estimate
    worst: str

    @property
    def acer(self) -> float:
        """Mean of BPCER and the worst kind's APCER."""
        return (self.bpcer.value + self.apcer[self.worst].value) / 2


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredLiveness:
    """Results of measuring a liveness model.

    Attributes:
        rates: error rates at each threshold of the plan.
        areas: area under the ROC curve for each compared kind and for all attacks.
        figures: figures of `Probabilities.worst_curve`.
    """

    probabilities: Probabilities
    rates: tuple[LivenessRates, ...]
    areas: Mapping[str, Estimate]
    figures: Figures

    @property
    def worst_area(self) -> str:
        """Compared kind with the smallest area."""
        return min(self.probabilities.compared, key=lambda kind: self.areas[kind].value)


def read_presentations(folder: Path) -> Presentations:
    """Read the photos in ``live/`` and ``spoof/`` of a folder. Each folder in ``spoof/`` is a kind of attack.

    Photos directly in ``spoof/`` have the kind ``spoof``. Photos directly in `folder` are ignored.

    Raises:
        ModelError: there are no live photos or no attacks, or a photo is in another folder.
    """
    photos = photos_in(folder)
    kinds = []
    for photo in photos:
        top, *inside = photo.relative_to(folder).parts[:-1]
        if top not in (LIVE, SPOOF):
            raise ModelError(f"{photo} is neither in {folder / LIVE} nor in {folder / SPOOF}")
        kinds.append(LIVE if top == LIVE else "/".join([SPOOF, *inside[:1]]))
    for kind, there in ((LIVE, LIVE in kinds), (SPOOF, {*kinds} - {LIVE})):
        if not there:
            raise ModelError(f"{folder / kind} has no photos")
    return Presentations(tuple(photos), tuple(kinds))


def by_kind(presentations: Presentations, answers: Answers) -> Probabilities:
    """Sort a model's outputs by kind.

    Args:
        answers: (photos, 1), NaN for photos without a face.

    Raises:
        ModelError: no live photo or no attack has a face.
    """
    kinds, found = np.array(presentations.kinds), ~np.isnan(answers[:, 0])
    names = sorted({*presentations.kinds})
    scores = {name: answers[found & (kinds == name), 0] for name in names}
    faceless = {name: int(np.sum(~found & (kinds == name))) for name in names}
    live = scores.pop(LIVE)
    for name, there in ((LIVE, len(live)), (SPOOF, sum(map(len, scores.values())))):
        if not there:
            raise ModelError(f"no face was found in the photos in {name}")
    return Probabilities(live, scores, faceless)


def measure_liveness(probabilities: Probabilities, plan: Plan) -> MeasuredLiveness:
    """Measure a liveness model from its probabilities."""
    areas_drawn: list[dict[str, float]] = []

    def curves() -> Iterator[Curve]:
        for each in probabilities.replicates(plan):
            areas_drawn.append(each.areas())
            yield each.worst_curve()

    measured = figures(
        probabilities.worst_curve(),
        curves(),
        RequestedPoints(plan, "APCER", ATTACK_TRIALS),
        len(probabilities.live),
        probabilities.fewest,
    )
    areas = {
        kind: percentile_interval(area, np.array([each[kind] for each in areas_drawn]))
        for kind, area in probabilities.areas().items()
    }
    rates = tuple(_rates(name, threshold, probabilities) for name, threshold in plan.thresholds.items())
    return MeasuredLiveness(probabilities, rates, areas, measured)


def _rates(name: str, threshold: float, probabilities: Probabilities) -> LivenessRates:
    live, attacks = probabilities.live, {**probabilities.seen, **probabilities.together}
    apcer = {kind: wilson(int(np.sum(scores >= threshold)), len(scores)) for kind, scores in attacks.items()}
    bpcer = wilson(int(np.sum(live < threshold)), len(live))
    worst = max(probabilities.compared, key=lambda kind: apcer[kind].value)
    return LivenessRates(name, threshold, apcer, bpcer, worst)
