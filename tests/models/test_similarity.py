"""Similarities from 0 to 100."""

import pytest
from hypothesis import given
from hypothesis.strategies import floats

from models.card import Card
from models.catalogue import cards
from models.similarity import assumed_scale

EMBEDDERS = [card for card in cards().values() if card.task == "embedder"]
COSINE = floats(-1, 1)


@pytest.mark.parametrize("card", EMBEDDERS, ids=lambda card: card.name)
@given(one=COSINE, other=COSINE)
def test_a_greater_cosine_is_no_smaller_similarity(card: Card, one: float, other: float) -> None:
    low, high = (card.similarity_scale.percent(cosine) for cosine in sorted((one, other)))
    assert 0 <= low <= high <= 100


@pytest.mark.parametrize("card", EMBEDDERS, ids=lambda card: card.name)
@given(cosine=COSINE, percent=floats(0, 100))
def test_a_similarity_is_reached_from_its_cosine_on(card: Card, cosine: float, percent: float) -> None:
    scale = card.similarity_scale
    if scale.percent(cosine) >= percent:
        assert cosine >= scale.cosine(percent)
    assert scale.percent(scale.cosine(percent)) == pytest.approx(percent, abs=0.01) or scale.cosine(percent) == -1


def test_equal_embeddings_are_100_and_the_threshold_of_a_card_without_a_measurement_is_80() -> None:
    scale = assumed_scale(0.3)
    assert scale.percent(1) == 100
    assert scale.percent(0.3) == pytest.approx(80, abs=0.1)
