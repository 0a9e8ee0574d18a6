"""Decoding JSON: every type that responses contain, unknown fields, and errors."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from facegraph.client import MalformedAnswerError
from facegraph.client.decoding import decode


@dataclass(frozen=True, kw_only=True)
class Inner:
    number: float


@dataclass(frozen=True, kw_only=True)
class Outer:
    text: str
    when: datetime
    file: bytes
    some: tuple[Inner, ...]
    pair: tuple[float, int]
    named: dict[str, bool]
    perhaps: Inner | None
    later: int = 7


WHOLE: dict[str, Any] = {"text": "é", "when": "2026-01-15T10:30:00Z", "file": "AQI=", "pair": [0.5, 3]} | {
    "some": [{"number": 1, "of_a_newer_service": "ignored"}, {"number": 2.5}],
    "named": {"mtcnn": True},
    "perhaps": None,
}
DECODED = Outer(
    text="é",
    when=datetime(2026, 1, 15, 10, 30, tzinfo=UTC),
    file=b"\x01\x02",
    some=(Inner(number=1.0), Inner(number=2.5)),
    pair=(0.5, 3),
    named={"mtcnn": True},
    perhaps=None,
)


def test_every_type_is_decoded() -> None:
    assert decode(Outer, WHOLE) == DECODED
    assert isinstance(decode(Outer, WHOLE).some[0].number, float)
    more = {**WHOLE, "perhaps": {"number": 4}, "later": 8}
    assert decode(Outer, more) == replace(DECODED, perhaps=Inner(number=4), later=8)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"text": 3}, "answer.text should be str, not int"),
        ({"when": "yesterday"}, "answer.when should be a time, not str"),
        ({"file": "=?"}, "answer.file should be base64, not str"),
        ({"some": {}}, "answer.some should be list, not dict"),
        ({"some": [{"number": 1}, {}]}, r"answer.some\[1\].number is missing"),
        ({"some": [{"number": True}]}, r"answer.some\[0\].number should be float or int, not bool"),
        ({"pair": [1]}, "answer.pair should be 2 values, not list"),
        ({"named": {"mtcnn": 1}}, "answer.named.mtcnn should be bool, not int"),
        ({"perhaps": []}, "answer.perhaps should be dict, not list"),
        ({"later": None}, "answer.later should be int, not NoneType"),
    ],
)
def test_an_error_names_the_place_and_not_the_value(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedAnswerError, match=f"^{message}$"):
        decode(Outer, {**WHOLE, **changed})
