"""The scale of similarities that is fitted to all pairs of photos."""

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.similarity import fit_scale
from models.errors import ModelError
from models.similarity import STATED


def made_up(people: int, size: int = 24) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Embeddings of two photos of each person."""
    random = np.random.default_rng(0)
    subjects = np.repeat(np.arange(people), 2)
    return random.normal(size=(people, size))[subjects] + 0.3 * random.normal(size=(2 * people, size)), subjects


def test_the_false_match_rate_falls_from_80_to_99_as_chosen_and_is_stated() -> None:
    embeddings, subjects = made_up(1000)
    fitted = fit_scale(embeddings, subjects)
    assert (fitted.impostors, fitted.genuines) == (1_998_000, 1000)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), 1)
    cosines, genuine = (unit @ unit.T)[first, second], subjects[first] == subjects[second]
    thresholds = [fitted.scale.cosine(percent) for percent in STATED]
    measured = [float(np.mean(cosines[~genuine] >= threshold)) for threshold in thresholds]
    assert measured[0] == pytest.approx(1e-3, rel=0.03)
    assert measured[-1] == pytest.approx(1e-5, rel=0.3)
    assert list(fitted.scale.fmr or ()) == pytest.approx(measured, rel=0.06)
    missed = [float(np.mean(cosines[genuine] < threshold)) for threshold in thresholds]
    assert list(fitted.fnmr) == pytest.approx(missed, abs=2e-3)


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(ModelError, match="impostor pairs are too few"):
        fit_scale(*made_up(50))
