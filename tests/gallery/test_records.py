"""Keys that stand for clients' texts, and valid embeddings."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.records import Collection, contract_mismatch, digest, normalised, subject_key
from project.request_error import RequestError
from tests.gallery.sample_gallery import KIND, face, vectors

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("subject", ["", "x" * 513, "\U0001f600" * 513, "\ud800", "a\udfffb"], ids=ascii)
def test_other_texts_are_not_ids(subject: str) -> None:
    with pytest.raises(RequestError, match="INVALID_SUBJECT"):
        subject_key(subject)


@given(st.lists(TEXTS, min_size=1, max_size=3), st.lists(TEXTS, min_size=1, max_size=3))
def test_different_texts_have_different_digests(first: list[str], second: list[str]) -> None:
    assert (digest(*first) == digest(*second)) == (first == second)
    joined, whole = digest("".join(first)), digest(*first)
    assert (joined == whole) == (len(first) == 1)
    assert digest(whole, *second) != digest(*first, *second)


def test_a_face_is_identified_by_subject_and_source() -> None:
    faces = [face("Ada", source="1"), face("Ada", source="2"), face("Bob", source="1"), face("Ada1", source="")]
    assert len({each.id for each in faces}) == 4
    assert faces[0].id == face("Ada", vectors(1, seed=3)[0], source="1").id


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


def test_a_contract_mismatch_names_the_command_to_run() -> None:
    refused = contract_mismatch(Collection("staff", KIND, None, datetime(2026, 1, 15, tzinfo=UTC), "faces"))
    assert refused.code == "EMBEDDING_CONTRACT_MISMATCH"
    assert "arcface-model (contract contract)" in refused.message
    assert "facegraph gallery re-embed PHOTOS --from staff --to NEW" in refused.message
