"""What holds for the measures between any two embeddings, of any length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphs.compare import distances

Vector = NDArray[np.float32]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Vector, Vector]:
    """Two embeddings of one length, the second often much like the first."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    first, other = rng.normal(size=(2, draw(st.integers(1, 512))))
    second = first + draw(st.sampled_from([1e-6, 0.1, 1, 1e6])) * other
    return first.astype(np.float32), second.astype(np.float32)


brief = settings(max_examples=60)


@brief
@given(pairs())
def test_they_are_the_formulas_of_the_textbook(pair: tuple[Vector, Vector]) -> None:
    first, second = (vector.astype(np.longdouble) for vector in pair)
    found = distances(*pair)
    lengths = np.sqrt((first * first).sum()) * np.sqrt((second * second).sum())
    assert found.cosine == pytest.approx(float((first * second).sum() / lengths), abs=1e-12)
    assert found.euclidean == pytest.approx(float(np.sqrt(((first - second) ** 2).sum())), rel=1e-12)
    assert found.manhattan == pytest.approx(float(np.abs(first - second).sum()), rel=1e-12)


@brief
@given(pairs(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_numbers_and_their_signs_do_not_matter(pair: tuple[Vector, Vector], seed: int) -> None:
    rng = np.random.default_rng(seed)
    order, signs = rng.permutation(len(pair[0])), rng.choice([-1, 1], len(pair[0])).astype(np.float32)
    found, moved = distances(*pair), distances(*((vector * signs)[order] for vector in pair))
    for name in ("cosine", "euclidean", "manhattan"):
        assert getattr(moved, name) == pytest.approx(getattr(found, name), rel=1e-9, abs=1e-12)


@brief
@given(pairs(), st.integers(-20, 20))
def test_distances_grow_with_both_embeddings_and_the_cosine_stays(pair: tuple[Vector, Vector], power: int) -> None:
    # Powers of two, which change no digit.
    factor = 2.0**power
    found, grown = distances(*pair), distances(*(vector * np.float32(factor) for vector in pair))
    assert grown.cosine == pytest.approx(found.cosine, abs=1e-12)
    assert grown.euclidean == pytest.approx(found.euclidean * factor, rel=1e-12)
    assert grown.manhattan == pytest.approx(found.manhattan * factor, rel=1e-12)


@pytest.mark.parametrize("broken", [np.zeros(3), [1, np.nan, 0], [np.inf, 0, 0], [-np.inf, np.inf, 1]])
def test_what_is_no_embedding_is_told_on_either_side(broken: list[float]) -> None:
    sound, bad = np.array([1, 2, 3], np.float32), np.array(broken, np.float32)
    for pair in ((sound, bad), (bad, sound), (bad, bad)):
        with pytest.raises(ValueError, match="zero or not finite"):
            distances(*pair)
