"""Ids, texts and embeddings that clients send, and the client that forwards operations."""

import inspect
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock, Mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.errors import contract_mismatch
from gallery.operations import Gallery, GalleryChanges, GalleryReads
from gallery.reading.reader import Reader
from gallery.records import Collection, digest, subject_key
from gallery.subject_ids import look_alikes, look_of, refuse_blank
from gallery.unit_vectors import clipped, normalised
from gallery.writing.writer import Writer
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


class Client(Gallery):
    perform = AsyncMock()
    ready = unreadable = indexes = Mock()


@pytest.mark.parametrize(("operations", "side"), [(GalleryReads, Reader), (GalleryChanges, Writer)])
async def test_each_operation_is_forwarded_to_one_with_the_same_signature(operations: type, side: type) -> None:
    def signature(operation: Any) -> inspect.Signature:
        return inspect.signature(operation, locals={"pa": pa}, eval_str=True)

    names = [name for name in vars(operations) if not name.startswith("_")]
    assert names
    for name in names:
        operation = getattr(operations, name).__wrapped__
        assert await getattr(Client(), name)("staff", more=1) == Client.perform.return_value
        Client.perform.assert_awaited_with(operation, side is Writer, "staff", more=1)
        assert signature(getattr(side, name)) == signature(operation)


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


INVISIBLE = st.sampled_from(
    [
        *" \t\n\r\x00\x07\x1b\x7f\x85\xa0\xad",
        # Spaces, separators, zero-width characters and those that change the direction of text.
        *"\u1680\u2000\u2003\u2009\u200b\u200c\u200d\u200e\u2028\u2029\u202e\u202f\u205f\u2060\u2066\u3000\ufeff",
        # Combining marks without a letter, fillers, variation selectors and tags.
        *"\u0301\u034f\u115f\u1160\u180b\u180e\u20e3\u2800\u3164\ufe0f\uffa0\U000e0001\U000e0020\U000e0100",
    ]
)
VISIBLE = st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u115f\u1160\u2800\u3164\uffa0")
SPELLINGS: list[Callable[[str], str]] = [
    lambda text: unicodedata.normalize("NFC", text),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: unicodedata.normalize("NFKC", text),
    lambda text: unicodedata.normalize("NFKD", text),
    str.casefold,
    lambda text: f" {text}\u200b ",
    lambda text: text.replace(" ", "\u00a0 "),
]


@given(st.lists(INVISIBLE, max_size=8).map("".join), st.text(), VISIBLE, st.text())
def test_an_id_needs_a_visible_character(hidden: str, before: str, visible: str, after: str) -> None:
    with pytest.raises(RequestError, match="INVALID_SUBJECT"):
        refuse_blank(hidden)
    refuse_blank(before + visible + after)


@given(st.text(), st.sampled_from(SPELLINGS))
def test_different_spellings_of_an_id_look_alike(subject: str, spelling: Callable[[str], str]) -> None:
    assert look_of(spelling(subject)) == look_of(subject)


def test_an_id_is_paired_with_the_first_that_looks_like_it() -> None:
    ids = ["Jose\u0301", "Jos\u00e9", "anna", "jos\u00e9", "Jose\u0301"]
    assert list(look_alikes(ids)) == [("Jose\u0301", "Jos\u00e9"), ("Jose\u0301", "jos\u00e9")]
    assert list(look_alikes(["Jos\u00e9", "Jose", "ann", "anne", "a b", "ab", "1", "l"])) == []
