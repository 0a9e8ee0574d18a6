"""Unknown keys and file names with folders are refused anywhere in a card."""

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from models.card import Card, Threshold
from models.sources import FileName
from tests.models.cards import fields

FILE_NAME = TypeAdapter(FileName)
NAMES = st.text(st.sampled_from("a0_.-+/\\:\n\r\0 ~é\u2028"), max_size=8) | st.text(max_size=8)
VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})
)
brief = settings(max_examples=60)


def tables(value: Any) -> list[dict[str, Any]]:
    """All tables of a card, starting with the card itself."""
    if isinstance(value, dict):
        return [value, *(inner for each in value.values() for inner in tables(each))]
    return [inner for each in value for inner in tables(each)] if isinstance(value, list) else []


def known(table: dict[str, Any]) -> set[str]:
    """Keys that are in a table or could be."""
    crop, threshold = {"size", "fit", "scale"}, set(Threshold.model_fields)
    source = {"kind", "package", "version", "archive", "archive_sha256", "member", "url"}
    return {*Card.model_fields, "sha256", "sources", *crop, *threshold, *source, *table}


@brief
@given(place=st.integers(0, 5), key=st.text(min_size=1, max_size=6), value=VALUES)
def test_an_unknown_key_is_refused_in_every_table(place: int, key: str, value: Any) -> None:
    entry = fields()
    found = tables(entry)
    assert len(found) == 6
    assume(key not in known(found[place]))
    found[place][key] = value
    with pytest.raises(ValidationError):
        Card.model_validate(entry)


@brief
@given(name=NAMES)
def test_a_file_name_never_leaves_its_folder(name: str) -> None:
    try:
        FILE_NAME.validate_python(name)
    except ValidationError:
        return
    assert PurePosixPath(name).name == name
    assert not set(name) & set("/\\:\0\n\r")
    assert name not in (".", "..")
