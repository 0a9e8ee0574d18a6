"""Padded embeddings compare like those without padding, and embeddings of two networks do not compare."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from api.embeddings import EmbeddingPair
from api.padding import answered_dimensions, padded, unpadded
from api.service import Service
from graphs.policy import Policy
from imaging.refused import Refused
from models.tasks.embedder import EmbedderOutput
from tests.fakes import People, changed, service, with_stages

Vector = NDArray[np.float32]

brief = settings(max_examples=60)
seeds = st.integers(0, 2**32 - 1)


def serving(arcface: int, facenet: int, pad: bool = True) -> Service:
    """A service whose two embedders have these sizes."""
    whole = People().stages()
    sizes = {"arcface": arcface, "facenet": facenet}
    embedders = (changed(whole.networks[role], output=EmbedderOutput(size=size)) for role, size in sizes.items())
    return service(with_stages(whole, *embedders), policy=Policy(pad_embeddings=pad))


DEFAULT = serving(192, 128)


def given_by(size: int, seed: int) -> list[float]:
    """An embedding of length 1, as a network gives it."""
    vector = np.random.default_rng(seed).normal(size=size)
    numbers: list[float] = (vector / np.linalg.norm(vector)).astype(np.float32).tolist()
    return numbers


def answer(numbers: list[float], of: Service = DEFAULT) -> list[float]:
    return padded(of, np.array(numbers, np.float32))


def taken(first: list[float], second: list[float], role: str = "facenet", of: Service = DEFAULT) -> list[Vector]:
    return list(unpadded(of, role, EmbeddingPair(embedding1=first, embedding2=second)))


def refusal(first: list[float], second: list[float], role: str = "facenet", of: Service = DEFAULT) -> str:
    with pytest.raises(Refused) as caught:
        taken(first, second, role, of)
    assert caught.value.code == "INVALID_REQUEST"
    return caught.value.message


@brief
@given(seeds, seeds, st.integers(1, 600), st.booleans(), st.booleans())
def test_both_widths_compare_to_the_last_bit(one: int, two: int, size: int, wide1: bool, wide2: bool) -> None:
    of = serving(192, size)
    first, second = given_by(size, one), given_by(size, two)
    pair = taken(answer(first, of) if wide1 else first, answer(second, of) if wide2 else second, of=of)
    assert [vector.tolist() for vector in pair] == [first, second]


@brief
@given(seeds, st.integers(128, 511))
def test_a_number_behind_the_networks_own_is_of_another_network(seed: int, place: int) -> None:
    own = given_by(128, seed)
    other = answer(own)
    other[place] = 1e-6
    assert refusal(own, other).startswith(
        "embedding2 comes from a different model: this model's embeddings have 128 numbers"
    )
    assert refusal(other, other).startswith("embedding1")


@brief
@given(seeds, seeds, st.sampled_from(["arcface", "facenet"]), st.booleans(), st.booleans())
def test_embeddings_of_two_networks_are_refused_in_every_width(
    one: int, two: int, role: str, wide1: bool, wide2: bool
) -> None:
    first, second = given_by(192, one), given_by(128, two)
    left, right = answer(first) if wide1 else first, answer(second) if wide2 else second
    assert refusal(left, right, role)
    assert refusal(right, left, role)


def test_zeros_of_the_networks_own_are_no_padding() -> None:
    sparse, dense = [1.0] + [0.0] * 191, given_by(192, 0)
    assert [len(vector) for vector in taken(answer(sparse), answer(dense), "arcface")] == [192, 192]


def test_two_lengths_are_refused() -> None:
    assert refusal([1, 2, 3], [1]) == ("embedding1 has 3 numbers and embedding2 has 1; they must have the same length")


def test_without_padding_every_width_stays_as_it_is() -> None:
    bare, own, old = serving(192, 128, pad=False), given_by(128, 0), given_by(512, 1)
    assert answered_dimensions(bare, 128) == len(answer(own, bare)) == 128
    assert [len(vector) for vector in taken(old, old, of=bare)] == [512, 512]
    assert refusal(own, answer(own), of=bare)


def test_without_the_contracts_network_embeddings_of_one_width_compare() -> None:
    old = given_by(512, 1)
    assert len(taken(old, old, role="nowhere")[0]) == 512
