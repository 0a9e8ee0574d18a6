"""Keys that stand for clients' texts, and the error about another model."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.errors import contract_mismatch
from gallery.records import Collection, digest, subject_key
from project.request_error import RequestError
from tests.gallery.sample_gallery import KIND, face, vectors

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512)


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


def test_a_contract_mismatch_names_the_command_to_run() -> None:
    refused = contract_mismatch(Collection("staff", KIND, None, datetime(2026, 1, 15, tzinfo=UTC), "faces"))
    assert refused.code == "EMBEDDING_CONTRACT_MISMATCH"
    assert "arcface-model (contract contract)" in refused.message
    assert "facegraph gallery re-embed PHOTOS --from staff --to NEW" in refused.message
