"""The keys that stand for a client's texts, and what an embedding may be."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.records import Collection, EmbeddingKind, contract_mismatch, digest, normalised, subject_key
from imaging.refused import Refused
from tests.gallery.sample_gallery import HOSTILE, face, vectors

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512)


def refused(size: int, *numbers: float) -> str:
    with pytest.raises(Refused) as caught:
        normalised(np.array(numbers, np.float32), size)
    return caught.value.code


@given(texts)
def test_any_text_is_an_id_and_its_key_is_only_hex_digits(subject: str) -> None:
    key = subject_key(subject)
    assert len(key) == 32
    assert set(key) <= set("0123456789abcdef")
    assert key == subject_key(subject)
    assert key != subject_key(subject[:-1] + ("b" if subject[-1] != "b" else "c"))


def test_ids_that_look_like_something_else_have_keys_of_their_own() -> None:
    keys = [subject_key(subject) for subject in HOSTILE]
    assert len(set(keys)) == len(HOSTILE)
    assert all(key.isalnum() and key.isascii() and len(key) == 32 for key in keys)


@pytest.mark.parametrize("subject", ["", "x" * 513, "\U0001f600" * 513, "\ud800", "a\udfffb", "\udcff" * 4])
def test_what_is_no_id_is_refused(subject: str) -> None:
    with pytest.raises(Refused) as caught:
        subject_key(subject)
    assert caught.value.code == "INVALID_SUBJECT"
    with pytest.raises(Refused):
        _ = face(subject).id


def test_characters_are_counted_not_bytes() -> None:
    assert subject_key("\U0001f600" * 512) != subject_key("\U0001f600" * 511)


@given(st.lists(texts, min_size=1, max_size=3), st.lists(texts, min_size=1, max_size=3))
def test_no_other_texts_have_the_same_digest(first: list[str], second: list[str]) -> None:
    assert (digest(*first) == digest(*second)) == (first == second)


def test_where_one_text_ends_and_the_next_begins_matters() -> None:
    assert len({digest("a", "bc"), digest("ab", "c"), digest("abc"), digest("abc", ""), digest("", "abc")}) == 5
    assert digest("a", "b") != digest("b", "a")
    # The digest of a digest is no way to another text.
    assert digest(digest("a"), "b") != digest("a", "b")


def test_a_face_is_its_subject_and_its_source() -> None:
    known = face("Ada", source="1")
    assert known.id == face("Ada", vectors(1, seed=3)[0], source="1").id
    assert len({known.id, face("Ada", source="2").id, face("Bob", source="1").id, face("Ada1", source="").id}) == 4


@given(
    st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=4, max_size=4).filter(
        lambda numbers: float(np.linalg.norm(np.array(numbers, np.float64))) > 1e-5
    )
)
def test_an_embedding_gets_length_1_and_keeps_its_direction(numbers: list[float]) -> None:
    unit = normalised(np.array(numbers, np.float32), 4)
    assert unit.dtype == np.float32
    assert np.linalg.norm(unit.astype(np.float64)) == pytest.approx(1, abs=1e-6)
    assert float(unit @ (np.array(numbers) / np.linalg.norm(numbers))) == pytest.approx(1, abs=1e-6)


def test_numbers_near_the_end_of_float32_are_no_problem() -> None:
    np.testing.assert_allclose(normalised(np.full(4, 1e38, np.float32), 4), np.full(4, 0.5))
    np.testing.assert_allclose(normalised(np.full(4, -3.4e38, np.float32), 4), np.full(4, -0.5), rtol=1e-6)
    np.testing.assert_allclose(normalised(np.array([1e-5, 0, 0, 1e-42], np.float32), 4), [1, 0, 0, 0], atol=1e-6)


def test_what_is_no_embedding_is_refused() -> None:
    nan, inf = float("nan"), float("inf")
    for first, second in [(1, nan), (nan, nan), (inf, 1), (-inf, inf), (0, 0), (-0.0, 0), (1e-30, 0), (1e-45, 0)]:
        assert refused(2, first, second) == "INVALID_EMBEDDING"
    for count in (0, 1, 3):
        assert refused(2, *[1.0] * count) == "INVALID_EMBEDDING"


def test_an_embedding_is_one_row() -> None:
    with pytest.raises(Refused):
        normalised(np.ones((1, 2), np.float32), 2)
    with pytest.raises(Refused):
        normalised(np.ones((2, 1), np.float32), 2)


def test_who_asks_a_collection_of_another_network_is_told_what_to_type() -> None:
    kind = EmbeddingKind("arcface", "mobilefacenet", "499f2c0ac50eba0c", 192)
    refused = contract_mismatch(Collection("staff", kind, None, datetime(2026, 1, 15, tzinfo=UTC), "faces"))
    assert refused.code == "EMBEDDING_CONTRACT_MISMATCH"
    assert "mobilefacenet (contract 499f2c0ac50eba0c)" in refused.message
    assert "facegraph gallery re-embed PHOTOS --from staff --to NEW" in refused.message
