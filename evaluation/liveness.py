"""Measuring a liveness network: attacks that pass, and live faces that do not (ISO/IEC 30107-3).

A photo is classified as live when its live probability is at or above the threshold. APCER, of one species of attack
instruments, is the share of its photos that are classified as live; that of a system is its worst species'. BPCER is
the share of live photos that are classified as spoofs, and ACER the mean of BPCER and the worst APCER.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.figures import Figures, Plan, Wished, figures
from evaluation.intervals import Estimate, wilson
from evaluation.labelled import photos_in
from evaluation.verification import Curve, Scores, curve
from models.errors import ModelError

APCERS = (0.10, 0.05, 0.01)
LIVE, SPOOF = "live", "spoof"
TRIALS = "photos of the rarest attack"


@dataclass(frozen=True, slots=True, eq=False)
class Presentations:
    """Photos of live faces and of spoofs.

    Attributes:
        photos: their paths.
        species: of each one, ``live``, or the attack instrument: ``spoof``, or ``spoof/`` and its name.
    """

    photos: tuple[Path, ...]
    species: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """The errors at one threshold, with Wilson's intervals: photos count as independent."""

    name: str
    threshold: float
    apcer: dict[str, Estimate]
    bpcer: Estimate

    @property
    def worst(self) -> str:
        """The species with the highest APCER."""
        return max(self.apcer, key=lambda species: self.apcer[species].value)

    @property
    def acer(self) -> float:
        """The mean of BPCER and the worst species' APCER."""
        return (self.bpcer.value + self.apcer[self.worst].value) / 2


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredLiveness:
    """All that was measured of a liveness network.

    Attributes:
        scores: live probabilities of the photos with a face, by species; ``live`` is first.
        rates: at each threshold that was given.
        figures: of the curve of the worst species' APCER, as FMR, and BPCER, as FNMR.
    """

    scores: dict[str, Scores]
    rates: tuple[Rates, ...]
    figures: Figures


def read_presentations(folder: Path) -> Presentations:
    """The photos in ``live/`` and ``spoof/`` of a folder; folders in ``spoof/`` are species of attack instruments.

    Photos that lie in ``spoof/`` itself are of the species ``spoof``.

    Raises:
        ModelError: one of them has no photos.
    """
    photos = photos_in(folder)
    species = []
    for photo in photos:
        top, *inside = photo.relative_to(folder).parts[:-1]
        if top not in (LIVE, SPOOF):
            raise ModelError(f"{photo} lies neither in {folder / LIVE} nor in {folder / SPOOF}")
        species.append(LIVE if top == LIVE else "/".join([SPOOF, *inside[:1]]))
    for kind, there in ((LIVE, LIVE in species), (SPOOF, {*species} - {LIVE})):
        if not there:
            raise ModelError(f"{folder / kind} has no photos")
    return Presentations(tuple(photos), tuple(species))


def worst_curve(scores: Mapping[str, Scores]) -> Curve:
    """At each threshold the worst species' APCER, as FMR, and BPCER, as FNMR."""
    live = scores[LIVE]
    curves = [curve(live, attacks) for species, attacks in scores.items() if species != LIVE]
    thresholds = np.unique(np.concatenate([each.thresholds for each in curves]))
    # A threshold behaves like the next higher one of its own curve.
    places = [np.minimum(np.searchsorted(each.thresholds, thresholds), len(each.thresholds) - 1) for each in curves]
    apcer = np.max([each.fmr[place] for each, place in zip(curves, places, strict=True)], axis=0)
    return Curve(thresholds, apcer, curves[0].fnmr[places[0]])


def by_species(presentations: Presentations, probabilities: Answers) -> dict[str, Scores]:
    """The live probabilities of the photos with a face, ``live`` first.

    Args:
        probabilities: (photos, 1), NaN for photos without a face.

    Raises:
        ModelError: a species has no photo with a face.
    """
    species, found = np.array(presentations.species), ~np.isnan(probabilities[:, 0])
    names = [LIVE, *sorted({*presentations.species} - {LIVE})]
    scores = {name: probabilities[found & (species == name), 0] for name in names}
    for name, photos in scores.items():
        if not len(photos):
            raise ModelError(f"no face was found on the photos of {name}")
    return scores


def fewest_attacks(scores: Mapping[str, Scores]) -> int:
    """The photos of the rarest species of attacks: no more than they show how often attacks pass."""
    return min(len(photos) for name, photos in scores.items() if name != LIVE)


def measure_liveness(scores: dict[str, Scores], plan: Plan) -> MeasuredLiveness:
    """Measure a liveness network; the bootstrap draws photos within each species.

    Args:
        scores: live probabilities of photos, as `by_species` has them.
    """
    random = np.random.default_rng(plan.seed)

    def drawn(_: int) -> dict[str, NDArray[np.float64]]:
        return {name: random.choice(photos, len(photos)) for name, photos in scores.items()}

    measured = figures(
        worst_curve(scores),
        (worst_curve(drawn(each)) for each in plan.track(range(plan.replicates), "bootstrap")),
        Wished(plan.thresholds, plan.rates, "APCER", TRIALS),
        len(scores[LIVE]),
        fewest_attacks(scores),
    )
    rates = tuple(_rates(name, threshold, scores) for name, threshold in plan.thresholds.items())
    return MeasuredLiveness(scores, rates, measured)


def _rates(name: str, threshold: float, scores: Mapping[str, Scores]) -> Rates:
    apcer = {
        species: wilson(int(np.sum(photos >= threshold)), len(photos))
        for species, photos in scores.items()
        if species != LIVE
    }
    return Rates(name, threshold, apcer, wilson(int(np.sum(scores[LIVE] < threshold)), len(scores[LIVE])))
