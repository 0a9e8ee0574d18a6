"""Describes one request to the service. Each route is described once and sent by both clients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from facegraph.client.errors import NotFoundError, ServiceError
from facegraph.client.images import Upload

T = TypeVar("T")


def reraise(error: ServiceError, maybe_done: bool) -> Any:
    """The default `ApiCall.on_error`: raise the error."""
    raise error


@dataclass(frozen=True, kw_only=True)
class ApiCall(Generic[T]):
    """A request, and how to turn its response into a result.

    Attributes:
        method, path: the path is percent-encoded; see `api_path`.
        decode: converts the response's JSON to the result.
        params: query parameters.
        json: JSON body, or None.
        content: another body, whose type is in `headers`; or None.
        form, files: multipart body: text fields, and pairs of a field name and a file.
        headers: extra headers.
        idempotent: whether the request may be resent when it is unknown whether it took effect.
        also_success: statuses outside 2xx whose body is a result and not an error.
        on_error: returns a result in place of an error, or raises the error. Its second argument states whether an
            earlier attempt whose response was lost may have taken effect.
    """

    method: str
    path: str
    decode: Callable[[Any], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    form: Mapping[str, list[str]] | None = None
    files: Sequence[tuple[str, Upload]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = True
    also_success: frozenset[int] = frozenset()
    on_error: Callable[[ServiceError, bool], T] = reraise


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a longer result.

    Attributes:
        items: in order.
        next_call: returns the call for the next page, or None after the last. It may read files.
    """

    items: Sequence[T]
    next_call: Callable[[], "ApiCall[Page[T]] | None"]


def api_path(*parts: str) -> str:
    """Join path segments below /v1 and percent-encode each, including slashes.

    Raises:
        ValueError: a segment is empty, which would address another route.
    """
    if not all(parts):
        raise ValueError("a name or an id is empty")
    # httpx would resolve "." and ".." as relative segments.
    encoded = [part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="") for part in parts]
    return "/".join(("/v1", *encoded))


def result_if_done(value: T) -> Callable[[ServiceError, bool], T]:
    """An `ApiCall.on_error` that returns `value` for a 404 if an earlier attempt may have taken effect."""

    def on_error(error: ServiceError, maybe_done: bool) -> T:
        if maybe_done and isinstance(error, NotFoundError):
            return value
        raise error

    return on_error
