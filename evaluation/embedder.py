"""Measure an embedder: verification and identification, including the effect of photos without a face."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.bootstrap import draws, pair_weights
from evaluation.comparisons import Comparisons, compare
from evaluation.figures import Figures, Plan, RequestedPoints, figures
from evaluation.identification import Searches, search
from evaluation.intervals import Estimate, percentile_interval, without_misses
from evaluation.labelled import Labelled
from evaluation.verification import Trials

FMRS = (1e-1, 1e-2, 1e-3, 1e-4)
FPIRS = (1e-1, 1e-2)
RANKS = (1, 5, 10)
IMPOSTOR_TRIALS = "impostor pairs"


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """Results of identification.

    Attributes:
        ranks: closed set: for some ranks, the share of mated searches that find their subject at that rank or better.
        cmc: float64 (subjects), the same share for every rank.
        open_set: FNIR at FPIR.
    """

    searches: Searches
    ranks: dict[int, Estimate]
    cmc: NDArray[np.float64]
    open_set: Figures


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredEmbedder:
    """Results of measuring an embedder. Identification is measured on folders only."""

    comparisons: Comparisons
    subjects: int
    verification: Figures
    identification: Identification | None


def measure_embedder(labelled: Labelled, embeddings: Answers, plan: Plan) -> MeasuredEmbedder:
    """Measure an embedder from its embeddings of labelled photos.

    Args:
        embeddings: (photos, size), NaN for photos without a face.

    Raises:
        ModelError: there are too few faces.
    """
    comparisons = compare(labelled, embeddings)
    subjects = int(labelled.subjects.max()) + 1
    trials = Trials(comparisons.scores, comparisons.genuine)
    genuine = comparisons.genuine
    paired = len(np.unique(comparisons.subjects[genuine, 0]))
    drawn = list(draws(subjects, plan.replicates, plan.seed))
    weights = (pair_weights(each, comparisons.subjects) for each in plan.track(drawn, "bootstrap of pairs"))
    verification = figures(
        trials.curve(),
        (trials.curve(each) for each in weights if each[genuine].any() and each[~genuine].any()),
        RequestedPoints(plan, "FMR", IMPOSTOR_TRIALS),
        paired,
        int(np.sum(~genuine)),
    )
    return MeasuredEmbedder(comparisons, subjects, verification, _identify(labelled, embeddings, drawn, plan))


def _identify(
    labelled: Labelled, embeddings: Answers, drawn: list[NDArray[np.int64]], plan: Plan
) -> Identification | None:
    if not labelled.whole:
        return None
    searches = search(embeddings, labelled.subjects)
    trials, mated = searches.open_set(), int(searches.mated.sum())
    usable = [each for each in drawn if each[searches.subjects[searches.mated]].any()]
    spread = np.array([[searches.hit_rate(rank, each) for rank in RANKS] for each in usable])
    open_set = figures(
        trials.curve(),
        (trials.curve(searches.open_set_weights(each)) for each in plan.track(usable, "bootstrap of searches")),
        RequestedPoints(replace(plan, rates=FPIRS), "FPIR", "non-mated searches", best=False),
        mated,
        len(searches.others),
    )
    ranks = {
        rank: without_misses(percentile_interval(searches.hit_rate(rank), spread[:, place]), mated)
        for place, rank in enumerate(RANKS)
        if rank < searches.gallery
    }
    cmc = np.array([searches.hit_rate(rank) for rank in range(1, searches.gallery + 1)])
    return Identification(searches, ranks, cmc, open_set)
