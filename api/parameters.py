"""Routes that reject unknown or repeated parameters instead of ignoring them."""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from typing import Any, get_origin

from fastapi import params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from project.request_error import RequestError

_NO_BODY = (b"", b"{}")
"""Bodies that count as empty: some clients always send ``{}``."""
_FORM = "multipart/form-data"
"""Content type of all form routes, because each takes files."""
_COMPRESSIONS = re.compile(r"gzip|deflate|compress|\bbr\b|zstd", re.IGNORECASE)
"""A compression in ``Content-Encoding``. Other values, such as the ``utf-8`` of some clients, are ignored."""

# python_multipart logs a warning for each malformed form, which the response already reports.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class _Place:
    """A part of a request, and the parameters that a route accepts in this part.

    Attributes:
        where: the part, for messages.
        names: by name of the parameter, whether it may be repeated.
    """

    where: str
    names: Mapping[str, bool]

    def check(self, sent: Iterable[str], other: "_Place", strict: bool) -> None:
        """Reject repeated names and, if `strict`, unknown ones. If a name belongs to `other`, the message says so."""
        for name, count in Counter(sent).items():
            shown = name[:64]
            if name in self.names:
                if count > 1 and not self.names[name]:
                    raise RequestError(
                        "INVALID_REQUEST", f"{shown} is repeated {count} times {self.where}; send it once"
                    )
            elif strict and name in other.names:
                raise RequestError("INVALID_REQUEST", f"{shown} belongs {other.where}, not {self.where}")
            elif strict:
                known = ", ".join(self.names) or "none"
                raise RequestError("INVALID_REQUEST", f"Unknown parameter {shown} {self.where}; available: {known}")


class CheckedRoute(APIRoute):
    """A route that rejects repeated names, and JSON without a JSON ``Content-Type``.

    Browsers send text across sites without a CORS preflight, so accepting JSON declared as text would let any website
    use a service without keys.
    """

    strict = False
    streams = False

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler, so that the query string is checked first, and the body as it is read."""
        answer = super().get_route_handler()
        is_form = self.body_field is not None and isinstance(self.body_field.field_info, params.Form)
        query_names, body_names = (
            _names({field.alias: field.field_info.annotation for field in fields})
            for fields in (self.dependant.query_params, self.dependant.body_params)
        )
        query = _Place("in the query string", query_names)
        body = _Place("in the form" if is_form else "in the JSON body", body_names)

        async def checked(request: Request) -> Response:
            query.check((name for name, _ in request.query_params.multi_items()), body, self.strict)
            if self.body_field is None and not self.streams:
                if self.strict and await _has_body(request):
                    raise RequestError("INVALID_REQUEST", "This route does not accept a request body")
            elif _COMPRESSIONS.search(coding := request.headers.get("content-encoding", "")):
                raise RequestError(
                    "INVALID_REQUEST", f"Content-Encoding {coding[:64]} is not supported; send the body uncompressed"
                )
            return await answer(_CheckedRequest(request, query, body, self.strict))

        return checked


class StrictRoute(CheckedRoute):
    """A route that also rejects unknown parameters and form fields."""

    strict = True


class StreamRoute(StrictRoute):
    """A route that reads its body itself, in pieces."""

    streams = True


class _CheckedRequest(Request):
    """A request whose body is checked as FastAPI reads it."""

    def __init__(self, request: Request, query: _Place, body: _Place, strict: bool) -> None:
        super().__init__(request.scope, request.receive)
        self._query, self._fields, self._strict = query, body, strict

    async def body(self) -> bytes:
        """Read the body of a JSON route. Raises `RequestError` if the header declares another type."""
        read = await super().body()
        if read and not _is_json(self._content_type):
            raise self._needs("application/json")
        return read

    async def json(self) -> Any:
        """Parse the body. Raises `RequestError` if an object repeats a key: Python would keep only the last value."""
        body = await self.body()
        try:
            return json.loads(body, object_pairs_hook=_once)
        except json.JSONDecodeError:
            raise
        except UnicodeDecodeError:
            raise RequestError("INVALID_REQUEST", "The JSON body is not valid UTF-8") from None
        except RecursionError:
            raise RequestError("INVALID_REQUEST", "The JSON body is nested too deeply") from None
        except ValueError:
            raise RequestError("INVALID_REQUEST", "A number in the JSON body has too many digits") from None

    async def form(self, **limits: Any) -> FormData:  # type: ignore[override]
        """Parse the form. The result can be awaited, but not used as a context manager."""
        is_form = self._content_type.get_content_type() == _FORM
        if self._strict and not is_form and ("content-type" in self.headers or await _has_body(self)):
            raise self._needs(_FORM)
        form = await super().form(**limits)
        try:
            self._fields.check((name for name, _ in form.multi_items()), self._query, self._strict)
        except RequestError:
            await form.close()
            raise
        return form

    @cached_property
    def _content_type(self) -> Message:
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        return message

    def _needs(self, wanted: str) -> RequestError:
        given, _, _ = self.headers.get("content-type", "").partition(";")
        return RequestError("INVALID_REQUEST", f"Content-Type must be {wanted}, not {given[:64] or 'none'}")


async def _has_body(request: Request) -> bool:
    """Whether a request has a body. Reads as little as possible, because `MAX_REQUESTS` does not limit every route."""
    read = b""
    try:
        async for piece in request.stream():
            read += piece
            if len(read) > max(map(len, _NO_BODY)):
                return True
    except ClientDisconnect:
        raise RequestError("INVALID_REQUEST", "The connection was closed before the request was complete") from None
    return read not in _NO_BODY


def _is_json(content_type: Message) -> bool:
    kind = content_type.get_content_subtype()
    return content_type.get_content_maintype() == "application" and (kind == "json" or kind.endswith("+json"))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(made := dict(pairs)) < len(pairs):
        _Place("in the JSON body", dict.fromkeys(made, False)).check((name for name, _ in pairs), _Place("", {}), False)
    return made


def _names(kinds: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether each of some types is a list, by name. A model is replaced by its fields."""
    names: dict[str, bool] = {}
    for name, kind in kinds.items():
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= dict.fromkeys(kind.model_fields, False)
        else:
            names[name] = get_origin(kind) is list
    return names
