"""Embeddings in requests."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.embeddings import MOST_NUMBERS, EmbeddingPair
from graphs.compare import distances

GREATEST = float(np.finfo(np.float32).max)
numbers = st.floats(-GREATEST, GREATEST, width=32)


def pairs(length: int) -> Any:
    """Two embeddings of any length but zero."""
    one = st.lists(numbers, min_size=length, max_size=length).filter(any)
    return st.tuples(one, one)


def problem(text: str) -> tuple[tuple[Any, ...], str]:
    """The place and the message of the one problem of a pair whose first embedding is the JSON `text`."""
    with pytest.raises(ValidationError) as caught:
        EmbeddingPair.model_validate({"embedding1": json.loads(text), "embedding2": [1.0]})
    [found] = caught.value.errors()
    return found["loc"], found["msg"]


@given(st.integers(1, 8).flatmap(pairs))
def test_every_embedding_of_a_network_is_taken_exactly_and_can_be_compared(
    pair: tuple[list[float], list[float]],
) -> None:
    text = json.dumps(dict(zip(("embedding1", "embedding2"), pair, strict=True)))
    first, second = EmbeddingPair.model_validate(json.loads(text)).vectors()
    assert (first.tolist(), second.tolist()) == pair
    assert first.dtype == np.float32
    found = distances(first, second)
    assert -1 <= found.cosine <= 1
    assert np.isfinite(found.euclidean)


def test_whole_numbers_are_numbers() -> None:
    assert EmbeddingPair(embedding1=[1, 0], embedding2=[-2, 3]).vectors()[1].tolist() == [-2, 3]


INVALID = {
    (("embedding1", 2), "Input should be a valid number"): [
        f"[1, 0.5, {text}, {text}]" for text in ("true", '"1"', "null", "[1]", "{}", "1" + "0" * 400)
    ],
    (("embedding1", 1), "Input should be a finite number"): [
        f"[1, {text}]" for text in ("NaN", "Infinity", "-Infinity", "1e999")
    ],
    (("embedding1",), "Input should contain only numbers in the range of 32-bit floats"): [
        "[1e308]",
        "[-3.5e38]",
        f"[1{'0' * 39}]",
    ],
    (("embedding1",), "Input should not be all zeros"): ["[0]", "[0.0, -0.0]", "[1e-60, -1e-300]"],
    (("embedding1",), "Input should be a valid list"): ['"[1]"', "1", "null", '{"0": 1}', "true"],
}


@pytest.mark.parametrize(("text", "found"), [(text, found) for found, texts in INVALID.items() for text in texts])
def test_an_invalid_embedding_is_refused_by_its_place(text: str, found: tuple[tuple[Any, ...], str]) -> None:
    assert problem(text) == found


def test_the_length_is_bounded() -> None:
    longest = [1.0] * MOST_NUMBERS
    assert EmbeddingPair(embedding1=longest, embedding2=longest).vectors()[0].shape == (4096,)
    place, message = problem(f"[{'1,' * MOST_NUMBERS} 1]")
    assert place == ("embedding1",)
    assert message.startswith("List should have at most 4096 items")
    assert problem("[]")[1].startswith("List should have at least 1 item")
