"""Embeddings that clients send, and cosine similarities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.unit_vectors import clipped, normalised
from project.request_error import RequestError

NAN, INF = float("nan"), float("inf")


@given(
    st.lists(st.floats(-(2.0**127), 2.0**127, width=32), min_size=4, max_size=4).filter(
        lambda numbers: float(np.linalg.norm(np.array(numbers, np.float64))) > 1e-5
    )
)
def test_an_embedding_gets_length_1_and_keeps_its_direction(numbers: list[float]) -> None:
    unit = normalised(np.array(numbers, np.float32), 4)
    assert unit.dtype == np.float32
    assert np.linalg.norm(unit.astype(np.float64)) == pytest.approx(1, abs=1e-6)
    assert float(unit @ (np.array(numbers) / np.linalg.norm(numbers))) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "numbers",
    [[1, NAN], [INF, 1], [-INF, INF], [0, 0], [1e-7, 0], [1e-45, 0], [], [1], [1] * 3, [[1, 1]], [[1], [1]]],
    ids=str,
)
def test_invalid_embeddings_are_refused(numbers: list[float]) -> None:
    with pytest.raises(RequestError, match="INVALID_EMBEDDING"):
        normalised(np.array(numbers, np.float32), 2)


def test_a_cosine_stays_within_its_range() -> None:
    long = np.array([1.0, 1e-3, 1e-3], np.float32)
    cosine = float(long @ long)
    assert cosine > 1
    assert [clipped(value) for value in (cosine, -cosine, 0.5)] == [1, -1, 0.5]
