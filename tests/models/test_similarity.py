"""Similarities from 0 to 100."""

import pytest
from hypothesis import given
from hypothesis.strategies import floats

from models.catalogue import cards
from models.similarity import SimilarityScale

SCALES = {card.name: card.similarity for card in cards().values() if card.similarity}
COSINE = floats(-1, 1)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@given(one=COSINE, other=COSINE)
def test_a_greater_cosine_is_no_smaller_similarity(scale: SimilarityScale, one: float, other: float) -> None:
    low, high = (scale.percent(cosine) for cosine in sorted((one, other)))
    assert 0 <= low <= high <= 100


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@given(cosine=COSINE, percent=floats(0, 100))
def test_a_similarity_is_reached_from_its_cosine_on(scale: SimilarityScale, cosine: float, percent: float) -> None:
    if scale.percent(cosine) >= percent:
        assert cosine >= scale.cosine(percent)
    assert scale.percent(scale.cosine(percent)) == pytest.approx(percent, abs=0.01) or scale.cosine(percent) == -1


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_equal_embeddings_are_100(scale: SimilarityScale) -> None:
    assert scale.percent(1) == 100
