"""Decodes JSON into typed dataclasses, without a dependency such as pydantic."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from facegraph.client.errors import MalformedAnswerError

T = TypeVar("T")

_FROM_TEXT: dict[type, tuple[str, Callable[[str], Any]]] = {
    datetime: ("a time", datetime.fromisoformat),
    bytes: ("base64", partial(b64decode, validate=True)),
}
"""Types that JSON represents as text: the name of the format, and the function that parses it."""
_hints = cache(get_type_hints)


def decode(kind: type[T], value: Any, place: str = "answer") -> T:
    """Decode a JSON value as `kind`.

    Unknown fields are ignored because newer services may send more. A missing field needs a default. Enumerations are
    decoded as str because newer services may send additional members.

    Args:
        kind: a dataclass, bool, int, float, str, `datetime` (ISO 8601), bytes (base64), ``X | None``,
            ``tuple[X, ...]``, ``tuple[X, Y]``, ``dict[str, X]``, or Any for the value as it is.
        value: as `json.loads` returns it.
        place: where the value is, for the error message.

    Raises:
        MalformedAnswerError: the value does not fit. The message names its place but not the value.
    """
    return cast(T, _decode(kind, value, place))


def decode_field(name: str, kind: type[T], value: Any) -> T:
    """Decode one field of a JSON object as in `decode`, and ignore the others."""
    return cast(T, _decode_field(name, kind, _checked(dict, value, "answer"), "answer"))


def _decode(kind: Any, value: Any, place: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _decode_fields(kind, _checked(dict, value, place), place)
    if origin is UnionType:
        [some] = [each for each in inner if each is not NoneType]
        return None if value is None else _decode(some, value, place)
    if origin is tuple:
        return _decode_items(inner, _checked(list, value, place), place)
    if origin is dict:
        entries = _checked(dict, value, place).items()
        return {name: _decode(inner[1], each, f"{place}.{name}") for name, each in entries}
    return _decode_scalar(kind, value, place)


def _decode_fields(kind: Any, found: Mapping[str, Any], place: str) -> Any:
    hints = _hints(kind)
    values = {
        each.name: _decode_field(each.name, hints[each.name], found, place)
        for each in fields(kind)
        if each.name in found or each.default is MISSING
    }
    return kind(**values)


def _decode_field(name: str, kind: Any, found: Mapping[str, Any], place: str) -> Any:
    if name not in found:
        raise MalformedAnswerError(f"{place}.{name} is missing")
    return _decode(kind, found[name], f"{place}.{name}")


def _decode_items(kinds: tuple[Any, ...], found: list[Any], place: str) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(found)
    if len(kinds) != len(found):
        raise _error(place, f"{len(kinds)} values", found)
    items = enumerate(zip(kinds, found, strict=True))
    return tuple(_decode(kind, each, f"{place}[{index}]") for index, (kind, each) in items)


def _decode_scalar(kind: Any, value: Any, place: str) -> Any:
    if kind is float:
        return float(_checked((float, int), value, place))
    if kind not in _FROM_TEXT:
        return _checked(kind, value, place)
    expected, convert = _FROM_TEXT[kind]
    try:
        return convert(_checked(str, value, place))
    except ValueError:
        raise _error(place, expected, value) from None


def _checked(kinds: Any, value: Any, place: str) -> Any:
    # bool is a subclass of int.
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        names = [each.__name__ for each in (kinds if isinstance(kinds, tuple) else (kinds,))]
        raise _error(place, " or ".join(names), value)
    return value


def _error(place: str, expected: str, value: Any) -> MalformedAnswerError:
    # Leave out the value itself, which may be an embedding or an id.
    return MalformedAnswerError(f"{place} should be {expected}, not {type(value).__name__}")
