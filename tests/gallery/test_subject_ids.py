"""Blank ids, and ids that look alike."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.subject_ids import look_alikes, look_of, refuse_blank
from project.request_error import RequestError

INVISIBLE = st.sampled_from(
    [
        *" \t\n\r\x00\x07\x1b\x7f\x85\xa0\xad",
        # Spaces, separators, zero-width characters and turns of direction.
        *"\u1680\u2000\u2003\u2009\u200b\u200c\u200d\u200e\u2028\u2029\u202e\u202f\u205f\u2060\u2066\u3000\ufeff",
        # Marks without a letter, fillers, and what selects or tags other characters.
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


@given(st.lists(INVISIBLE, max_size=8).map("".join))
def test_an_id_without_a_visible_character_is_refused(subject: str) -> None:
    with pytest.raises(RequestError, match="INVALID_SUBJECT"):
        refuse_blank(subject)


@given(st.text(), VISIBLE, st.text())
def test_an_id_with_a_visible_character_is_accepted(before: str, visible: str, after: str) -> None:
    refuse_blank(before + visible + after)


@given(st.text(), st.sampled_from(SPELLINGS))
def test_different_spellings_of_an_id_look_alike(subject: str, spelling: Callable[[str], str]) -> None:
    assert look_of(spelling(subject)) == look_of(subject)


@pytest.mark.parametrize(
    ("first", "other"), [("Jos\u00e9", "Jose"), ("ann", "anne"), ("a b", "ab"), ("1", "l")], ids=ascii
)
def test_different_letters_do_not_look_alike(first: str, other: str) -> None:
    assert list(look_alikes([first, other])) == []


def test_an_id_is_paired_with_the_first_that_looks_like_it() -> None:
    ids = ["Jose\u0301", "Jos\u00e9", "anna", "jos\u00e9", "Jose\u0301"]
    assert list(look_alikes(ids)) == [("Jose\u0301", "Jos\u00e9"), ("Jose\u0301", "jos\u00e9")]
