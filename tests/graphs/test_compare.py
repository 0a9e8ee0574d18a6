"""Comparing two embeddings."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from graphs.compare import distances

Vector = NDArray[np.float32]


def vectors(greatest: float) -> Any:
    """Embeddings of any length but zero."""
    numbers = st.floats(-greatest, greatest, width=32)
    return hnp.arrays(np.float32, 5, elements=numbers).filter(lambda vector: bool(vector.any()))


anything = vectors(float(np.float32(3e38)))
moderate = vectors(1.0).filter(lambda vector: float(np.abs(vector).max()) > 1e-3)


def test_known_values() -> None:
    found = distances(np.array([3, 4], np.float32), np.array([4, 3], np.float32))
    assert found.cosine == pytest.approx(24 / 25, rel=1e-15)
    assert found.euclidean == pytest.approx(math.sqrt(2), rel=1e-15)
    assert found.manhattan == 2
    assert distances(np.array([1, 0], np.float32), np.array([0, 2], np.float32)).cosine == 0


@given(anything, anything)
def test_the_order_does_not_matter(first: Vector, second: Vector) -> None:
    assert distances(first, second) == distances(second, first)


@given(anything, anything)
def test_every_measure_is_in_its_range(first: Vector, second: Vector) -> None:
    found = distances(first, second)
    assert -1 <= found.cosine <= 1
    assert 0 <= found.euclidean < math.inf
    assert found.euclidean * (1 - 1e-12) <= found.manhattan < math.inf


@given(anything)
def test_an_embedding_is_wholly_like_itself_and_unlike_its_opposite(vector: Vector) -> None:
    same = distances(vector, vector)
    assert same.cosine == pytest.approx(1, abs=1e-12)
    assert (same.euclidean, same.manhattan) == (0, 0)
    assert distances(vector, -vector).cosine == pytest.approx(-1, abs=1e-12)


@given(moderate, moderate, st.floats(0.01, 100))
def test_the_cosine_does_not_depend_on_the_length(first: Vector, second: Vector, factor: float) -> None:
    longer = (first * np.float32(factor)).astype(np.float32)
    assert distances(longer, second).cosine == pytest.approx(distances(first, second).cosine, abs=1e-5)


@given(moderate, moderate)
def test_of_unit_vectors_the_cosine_and_the_euclidean_distance_tell_the_same(first: Vector, second: Vector) -> None:
    found = distances(*(vector / np.linalg.norm(vector.astype(np.float64)) for vector in (first, second)))
    assert found.euclidean**2 == pytest.approx(2 - 2 * found.cosine, abs=1e-6)


@given(moderate, moderate, moderate)
def test_no_way_round_is_shorter(first: Vector, second: Vector, third: Vector) -> None:
    straight, out, back = distances(first, second), distances(first, third), distances(third, second)
    assert straight.euclidean <= out.euclidean + back.euclidean + 1e-12
    assert straight.manhattan <= out.manhattan + back.manhattan + 1e-12
