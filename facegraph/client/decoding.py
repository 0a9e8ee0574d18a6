"""Answers in JSON as typed values."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from facegraph.client.errors import MalformedAnswerError

T = TypeVar("T")


def decode(kind: type[T], value: Any, place: str = "answer") -> T:
    """A value of JSON as `kind`.

    Fields that `kind` does not know are ignored, for newer services have more; those that are missing must have a
    default. A text that names one of several things is a str, for newer services name more.

    Args:
        kind: a dataclass, bool, int, float, str, `datetime` (ISO 8601), bytes (base64), ``X | None``,
            ``tuple[X, ...]``, ``tuple[X, Y]`` or ``dict[str, X]``.
        value: as `json.loads` gives it.
        place: of the value, for the error.

    Raises:
        MalformedAnswerError: it is not of that kind; the message says where.
    """
    return cast(T, _decoded(kind, value, place))


def _decoded(kind: Any, value: Any, place: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _object(kind, _checked(dict, value, place), place)
    if origin is UnionType:
        [some] = [each for each in inner if each is not NoneType]
        return None if value is None else _decoded(some, value, place)
    if origin is tuple:
        return _sequence(inner, _checked(list, value, place), place)
    if origin is dict:
        entries = _checked(dict, value, place).items()
        return {name: _decoded(inner[1], each, f"{place}.{name}") for name, each in entries}
    return _plain(kind, value, place)


def _object(kind: Any, found: Mapping[str, Any], place: str) -> Any:
    values = {}
    for name, (inner, needed) in _fields(kind).items():
        if name in found:
            values[name] = _decoded(inner, found[name], f"{place}.{name}")
        elif needed:
            raise MalformedAnswerError(f"{place}.{name} is missing")
    return kind(**values)


@cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """The fields of a dataclass: their kinds, and whether they are needed."""
    hints = get_type_hints(kind)
    return {
        each.name: (hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
    }


def _sequence(kinds: tuple[Any, ...], found: list[Any], place: str) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(found)
    if len(kinds) != len(found):
        raise _problem(place, f"{len(kinds)} values", found)
    return tuple(
        _decoded(kind, each, f"{place}[{at}]") for at, (kind, each) in enumerate(zip(kinds, found, strict=True))
    )


def _plain(kind: Any, value: Any, place: str) -> Any:
    if kind is float:
        return float(_checked((float, int), value, place))
    if kind is datetime:
        try:
            return datetime.fromisoformat(_checked(str, value, place))
        except ValueError:
            raise _problem(place, "a time", value) from None
    if kind is bytes:
        try:
            return base64.b64decode(_checked(str, value, place), validate=True)
        except binascii.Error:
            raise _problem(place, "base64", value) from None
    return _checked(kind, value, place)


def _checked(kinds: Any, value: Any, place: str) -> Any:
    # For Python, true is a 1.
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        names = [each.__name__ for each in (kinds if isinstance(kinds, tuple) else (kinds,))]
        raise _problem(place, " or ".join(names), value)
    return value


def _problem(place: str, wanted: str, value: Any) -> MalformedAnswerError:
    # Of the value itself nothing is told: it may be an embedding or an id.
    return MalformedAnswerError(f"{place} should be {wanted}, and is {type(value).__name__}")
