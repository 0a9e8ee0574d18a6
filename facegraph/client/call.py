"""What is asked, whoever sends it: each route of the service is described once, for both clients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from facegraph.client.errors import NotFoundError, ServiceError
from facegraph.client.images import File

T = TypeVar("T")


def raised(error: ServiceError, perhaps_done: bool) -> Any:
    """How most calls are settled: by their error."""
    raise error


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """One request, and what its answer means.

    Attributes:
        method, path: with every part of the path encoded; see `path_of`.
        decode: from the answer's JSON to what the caller gets.
        params: of the address.
        json: the body, if it is JSON.
        form, files: the body, if it is a form: fields, and files by their field's name.
        headers: beside those that every request has.
        repeatable: whether it may be sent again when nobody knows if it was done.
        answers: statuses beside 2xx that bring an answer and no error.
        settle: what the caller gets instead of an error, which it raises if that is nothing. It is told whether an
            earlier attempt, whose answer was lost, may have done what was asked.
    """

    method: str
    path: str
    decode: Callable[[Any], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, list[str]] | None = None
    files: Sequence[tuple[str, File]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    answers: frozenset[int] = frozenset()
    settle: Callable[[ServiceError, bool], T] = raised


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of many items.

    Attributes:
        items: in order.
        following: describes the request for the next page, or gives None after the last. It may read files.
    """

    items: Sequence[T]
    following: Callable[[], "Call[Page[T]] | None"]


def path_of(*parts: str) -> str:
    """The path of a route of /v1, each part percent-encoded, slashes included.

    Raises:
        ValueError: a part is empty, which would make it the path of another route.
    """
    if not all(parts):
        raise ValueError("a name or an id is empty")
    # httpx would take them for folders.
    encoded = [part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="") for part in parts]
    return "/".join(("/v1", *encoded))


def gone(value: T) -> Callable[[ServiceError, bool], T]:
    """How a deletion is settled: `value` where an earlier attempt may have deleted what is not found any more."""

    def settle(error: ServiceError, perhaps_done: bool) -> T:
        if perhaps_done and isinstance(error, NotFoundError):
            return value
        raise error

    return settle
