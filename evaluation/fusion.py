"""Fit a fusion of liveness networks and find the operating point of a liveness card."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.liveness import LIVE, SPOOF
from models.card import Attack, BonaFide
from models.errors import ModelError
from models.fusion import clipped_logits

RIDGE = 1.0
"""Penalty on half the squared length of the weights, relative to the log-likelihood of one photo."""

STEPS = 100
"""Maximum number of Newton steps. About ten are enough."""

FOLDS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """The numbers on a liveness card: weights and bias of a fusion (1 and 0 for a single network), and the shift."""

    weights: tuple[float, ...]
    bias: float
    shift: float

    def live(self, logits: Floats) -> NDArray[np.bool_]:
        """Whether each photo is classified as live, from the members' logits, (photos, members)."""
        return np.asarray(clipped_logits(logits) @ np.array(self.weights) + self.bias + self.shift >= 0)


def fit(logits: Floats, live: NDArray[np.bool_], bpcer: float) -> Fit:
    """Fit the weights of a fusion, if there are several members, and the shift of its operating point.

    Numbers are rounded to three decimals, as on the card.

    Args:
        logits: live logits of the members, (photos, members).
        live: whether each photo shows a live face, (photos).
        bpcer: maximum share of live photos that are rejected.

    Raises:
        ModelError: the regression does not converge.
    """
    weights, bias = logistic_regression(clipped_logits(logits), live) if logits.shape[1] > 1 else (np.ones(1), 0.0)
    weights, bias = weights.round(3), round(bias, 3)
    # Rounding up never rejects more.
    shift = math.ceil(1000 * shift_at((clipped_logits(logits) @ weights + bias)[live], bpcer)) / 1000
    return Fit(tuple(map(float, weights)), bias, shift)


def logistic_regression(features: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Weights and bias of a ridge logistic regression in which all photos have the same weight.

    Newton's method, which for this model is iteratively reweighted least squares (Hastie, Tibshirani and Friedman,
    "The Elements of Statistical Learning", 2nd edition, 4.4.1), with the ridge of le Cessie and van Houwelingen,
    "Ridge Estimators in Logistic Regression", Applied Statistics 1992. The bias is not penalised.

    Args:
        features: (photos, features).
        positive: (photos).

    Raises:
        ModelError: it does not converge.
    """
    design = np.column_stack([features, np.ones(len(features))])
    penalty = np.diag([RIDGE] * features.shape[1] + [0.0])
    beta = np.zeros(design.shape[1])
    for _ in range(STEPS):
        probability = (np.tanh(design @ beta / 2) + 1) / 2
        gradient = design.T @ (positive - probability) - penalty @ beta
        hessian = (design * (probability * (1 - probability))[:, None]).T @ design + penalty
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            return beta[:-1], float(beta[-1])
    raise ModelError(f"the regression did not converge in {STEPS} steps: it needs both live photos and spoofs")


def shift_at(live: Floats, bpcer: float) -> float:
    """The shift of the logits at which at most floor(bpcer * n) of n live photos are rejected.

    It moves the middle between the last rejected and the first accepted logit to 0.
    """
    logits = np.sort(live)
    rejected = int(bpcer * len(logits))
    below, above = logits[max(rejected - 1, 0)], logits[min(rejected, len(logits) - 1)]
    return -float(below + above) / 2


def check_enough(kinds: Sequence[str]) -> None:
    """Raise `ModelError` if there are too few photos with a face for a cross-validated fit.

    Args:
        kinds: the kind of each photo with a face, see `evaluation.liveness.Presentations`.
    """
    live = sum(kind == LIVE for kind in kinds)
    if min(live, len(kinds) - live) < FOLDS:
        spoofs = len(kinds) - live
        raise ModelError(f"{live} live photos and {spoofs} spoofs have a face, but {FOLDS} of each are needed")


def counted(accepted: NDArray[np.bool_], kinds: Sequence[str]) -> tuple[BonaFide, tuple[Attack, ...]]:
    """Count the errors behind BPCER and behind the APCER of each kind of attack.

    Args:
        accepted: whether each photo was classified as live.
        kinds: the kind of each photo, see `evaluation.liveness.Presentations`.
    """
    names = np.array(kinds)
    live = accepted[names == LIVE]
    attacks = [(name, accepted[names == name]) for name in sorted({*kinds} - {LIVE})]
    return BonaFide(photos=len(live), rejected=int(np.sum(~live))), tuple(
        Attack(kind=name.removeprefix(f"{SPOOF}/"), photos=len(passed), passed=int(passed.sum()))
        for name, passed in attacks
    )


def cross_validated(logits: Floats, live: NDArray[np.bool_], bpcer: float, seed: int) -> NDArray[np.bool_]:
    """Whether each photo is classified as live by a fit on the photos of the other folds."""
    folds = np.random.default_rng(seed).permutation(len(live)) % FOLDS
    accepted = np.zeros(len(live), dtype=np.bool_)
    for fold in range(FOLDS):
        held_out = folds == fold
        accepted[held_out] = fit(logits[~held_out], live[~held_out], bpcer).live(logits[held_out])
    return accepted
