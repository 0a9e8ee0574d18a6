"""Embeddings in requests: which are valid, and how their padding is removed.

Padded embeddings compare like those without padding, and embeddings of two networks do not compare.
"""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api.embeddings import MAX_NUMBERS, EmbeddingPair
from api.padding import answered_dimensions, padded, unpadded
from api.service import Service
from graphs.compare import distances
from graphs.flow_settings import FlowSettings
from models.tasks.embedder import EmbedderOutput
from project.request_error import RequestError
from tests.fakes import People, changed, service, with_stages

GREATEST = float(np.finfo(np.float32).max)
brief = settings(max_examples=60)
floats = st.floats(-GREATEST, GREATEST, width=32)
seeds = st.integers(0, 2**32 - 1)
Numbers = list[float]


def pairs(length: int) -> Any:
    """Two embeddings of any length but zero."""
    one = st.lists(floats, min_size=length, max_size=length).filter(any)
    return st.tuples(one, one)


def problem(text: str) -> tuple[tuple[Any, ...], str]:
    """The place and the message of the one problem of a pair whose first embedding is the JSON `text`."""
    with pytest.raises(ValidationError) as caught:
        EmbeddingPair.model_validate({"embedding1": json.loads(text), "embedding2": [1.0]})
    [found] = caught.value.errors()
    return found["loc"], found["msg"]


@given(st.integers(1, 8).flatmap(pairs))
def test_every_embedding_of_a_network_is_taken_exactly_and_can_be_compared(
    pair: tuple[Numbers, Numbers],
) -> None:
    text = json.dumps(dict(zip(("embedding1", "embedding2"), pair, strict=True)))
    first, second = EmbeddingPair.model_validate(json.loads(text)).vectors()
    assert (first.tolist(), second.tolist()) == pair
    assert first.dtype == np.float32
    found = distances(first, second)
    assert -1 <= found.cosine <= 1
    assert np.isfinite(found.euclidean)


INVALID = {
    (("embedding1", 2), "Input should be a valid number"): [
        f"[1, 0.5, {text}, {text}]" for text in ("true", '"1"', "null", "[1]", "{}", "1" + "0" * 400)
    ],
    (("embedding1", 1), "Input should be a finite number"): [
        f"[1, {text}]" for text in ("NaN", "Infinity", "-Infinity", "1e999")
    ],
    (("embedding1",), "Input should contain only numbers in the range of 32-bit floats"): [
        *("[1e308]", "[-3.5e38]", f"[1{'0' * 39}]")
    ],
    (("embedding1",), "Input should not be all zeros"): ["[0]", "[0.0, -0.0]", "[1e-60, -1e-300]"],
    (("embedding1",), "Input should be a valid list"): ['"[1]"', "1", "null", '{"0": 1}', "true"],
}


@pytest.mark.parametrize(("text", "found"), [(text, found) for found, texts in INVALID.items() for text in texts])
def test_an_invalid_embedding_is_refused_by_its_place(text: str, found: tuple[tuple[Any, ...], str]) -> None:
    assert problem(text) == found


def test_the_length_is_bounded() -> None:
    longest = [1.0] * MAX_NUMBERS
    assert EmbeddingPair(embedding1=longest, embedding2=longest).vectors()[0].shape == (4096,)
    place, message = problem(f"[{'1,' * MAX_NUMBERS} 1]")
    assert place == ("embedding1",)
    assert message.startswith("List should have at most 4096 items")
    assert problem("[]")[1].startswith("List should have at least 1 item")


def serving(facenet: int, pad: bool = True) -> Service:
    """A service whose embedders arcface and facenet give embeddings of 192 and of `facenet` numbers."""
    whole = People().stages()
    sizes = {"arcface": 192, "facenet": facenet}
    embedders = (changed(whole.networks[role], output=EmbedderOutput(size=size)) for role, size in sizes.items())
    return service(with_stages(whole, *embedders), settings=FlowSettings(pad_embeddings=pad))


DEFAULT = serving(128)


def given_by(size: int, seed: int) -> Numbers:
    """An embedding of length 1, as a network gives it."""
    vector = np.random.default_rng(seed).normal(size=size)
    numbers: Numbers = (vector / np.linalg.norm(vector)).astype(np.float32).tolist()
    return numbers


def answer(numbers: Numbers, of: Service = DEFAULT) -> Numbers:
    return padded(of, np.array(numbers, np.float32))


def taken(first: Numbers, second: Numbers, role: str = "facenet", of: Service = DEFAULT) -> Any:
    """Both embeddings without padding, or their refusal."""
    try:
        return [vector.tolist() for vector in unpadded(of, role, EmbeddingPair(embedding1=first, embedding2=second))]
    except RequestError as refused:
        return str(refused)


@brief
@given(seeds, seeds, st.integers(1, 600), st.booleans(), st.booleans())
def test_both_widths_compare_to_the_last_bit(one: int, two: int, size: int, wide1: bool, wide2: bool) -> None:
    of = serving(size)
    first, second = given_by(size, one), given_by(size, two)
    pair = answer(first, of) if wide1 else first, answer(second, of) if wide2 else second
    assert taken(*pair, of=of) == [first, second]


@brief
@given(seeds, st.integers(128, 511))
def test_a_nonzero_number_in_the_padding_means_another_network(seed: int, place: int) -> None:
    own = given_by(128, seed)
    other = answer(own)
    other[place] = 1e-6
    assert taken(own, other).startswith(
        "INVALID_REQUEST: embedding2 comes from a different model: this model's embeddings have 128 numbers"
    )
    assert taken(other, other).startswith("INVALID_REQUEST: embedding1")


@brief
@given(seeds, seeds, st.sampled_from(["arcface", "facenet"]), st.booleans(), st.booleans())
def test_embeddings_of_two_networks_are_refused_in_every_width(
    one: int, two: int, role: str, wide1: bool, wide2: bool
) -> None:
    first, second = given_by(192, one), given_by(128, two)
    left, right = answer(first) if wide1 else first, answer(second) if wide2 else second
    assert isinstance(taken(left, right, role), str)
    assert isinstance(taken(right, left, role), str)


def test_zeros_at_the_end_of_the_networks_own_numbers_are_kept() -> None:
    sparse, dense = [1.0] + [0.0] * 191, given_by(192, 0)
    assert taken(answer(sparse), answer(dense), "arcface") == [sparse, dense]


def test_two_lengths_are_refused() -> None:
    told = "INVALID_REQUEST: embedding1 has 3 numbers and embedding2 has 1; they must have the same length"
    assert taken([1, 2, 3], [1]) == told


def test_without_padding_or_the_contracts_network_every_width_stays_as_it_is() -> None:
    bare, own, old = serving(128, pad=False), given_by(128, 0), given_by(512, 1)
    assert answered_dimensions(bare, 128) == len(answer(own, bare)) == 128
    assert taken(old, old, of=bare) == taken(old, old, role="nowhere") == [old, old]
    assert isinstance(taken(own, answer(own), of=bare), str)
