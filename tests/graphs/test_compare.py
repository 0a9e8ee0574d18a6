"""Comparing two embeddings of any length."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from graphs.compare import distances

Vector = NDArray[np.float32]

LARGE = float(np.float32(3e38))
ANY = hnp.arrays(np.float32, 5, elements=st.floats(-LARGE, LARGE, width=32)).filter(lambda vector: bool(vector.any()))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Vector, Vector]:
    """Two embeddings of one length, the second often similar to the first."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    first, other = rng.normal(size=(2, draw(st.integers(1, 512))))
    second = first + draw(st.sampled_from([1e-6, 0.1, 1, 1e6])) * other
    return first.astype(np.float32), second.astype(np.float32)


@settings(max_examples=60)
@given(pairs())
def test_the_measures_are_those_of_the_textbook(pair: tuple[Vector, Vector]) -> None:
    first, second = (vector.astype(np.longdouble) for vector in pair)
    found = distances(*pair)
    lengths = np.sqrt((first * first).sum()) * np.sqrt((second * second).sum())
    assert found.cosine == pytest.approx(float((first * second).sum() / lengths), abs=1e-12)
    assert found.euclidean == pytest.approx(float(np.sqrt(((first - second) ** 2).sum())), rel=1e-12)
    assert found.manhattan == pytest.approx(float(np.abs(first - second).sum()), rel=1e-12)


@given(ANY, ANY)
def test_the_measures_are_symmetric_and_in_range_for_numbers_of_any_size(first: Vector, second: Vector) -> None:
    found = distances(first, second)
    assert distances(second, first) == found
    assert -1 <= found.cosine <= 1
    assert 0 <= found.euclidean < math.inf
    assert found.euclidean * (1 - 1e-12) <= found.manhattan < math.inf
    same = distances(first, first)
    assert same.cosine == pytest.approx(1, abs=1e-12)
    assert (same.euclidean, same.manhattan) == (0, 0)
    assert distances(first, -first).cosine == pytest.approx(-1, abs=1e-12)


@pytest.mark.parametrize("broken", [np.zeros(3), [1, np.nan, 0], [np.inf, 0, 0], [-np.inf, np.inf, 1]])
def test_an_invalid_embedding_is_an_error_on_either_side(broken: list[float]) -> None:
    valid, invalid = np.array([1, 2, 3], np.float32), np.array(broken, np.float32)
    for pair in ((valid, invalid), (invalid, valid), (invalid, invalid)):
        with pytest.raises(ValueError, match="zero or not finite"):
            distances(*pair)
