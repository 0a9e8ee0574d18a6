"""The bounds around every request: its id, and the size and the pace of its body."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from api import limits
from api.limits import MAX_KEYS, MAX_VALUES, RequestBounds
from project.request_error import RequestError
from tests.api.asgi import ask


class Inner:
    """An ASGI app that reads the whole body, then answers or raises `fault`."""

    def __init__(self, fault: Exception | None = None, answers: bool = True) -> None:
        self.fault = fault
        self.answers = answers
        self.scope: Scope = {}
        self.read = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        more = True
        while more:
            message = await receive()
            self.read += message.get("body", b"")
            more = message.get("more_body", False)
        if self.answers:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if self.fault:
            raise self.fault


class Body:
    """A body that arrives in pieces. `left` pieces are not read yet; after them, the body ends or stops arriving."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self.left = list(pieces)
        self.ends = ends

    async def __call__(self) -> Message:
        if not self.left:
            await asyncio.Event().wait()
        piece = self.left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.left) or not self.ends}


def call(app: Any, body: Body, most: int = 10, /, path: str = "/match", **headers: str) -> list[Message]:
    """What `app` sends. Bodies have at most `most` bytes, those of imports twice as many."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return asyncio.run(ask(RequestBounds(app, most, 2 * most), body, path=path, headers=raw))


def refusal(app: Any, body: Body, most: int = 10, /, **headers: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        call(app, body, most, **headers)
    return caught.value


@pytest.mark.parametrize("headers", [{}, {"content_length": "10"}])
def test_a_body_of_the_greatest_size_is_read_whole(headers: dict[str, str]) -> None:
    inner = Inner()
    sent = call(inner, Body(b"12345", b"67890"), **headers)
    assert inner.read == b"1234567890"
    assert [message["type"] for message in sent] == ["http.response.start"]


def test_an_import_has_a_limit_of_its_own_and_may_contain_any_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_VALUES", 2)
    path = "/v1/collections/staff/import"
    call(inner := Inner(), Body(b",,,,,::::::", b"[[[[[[[[["), path=path)
    assert len(inner.read) == 20
    with pytest.raises(RequestError, match="the limit of 20 bytes"):
        call(Inner(), Body(b"," * 21), path=path)


@pytest.mark.parametrize("length", ["11", *("9" * digits for digits in (19, 20, 21, 4300, 5000))], ids=len)
def test_a_body_that_declares_too_much_is_refused_unread(length: str) -> None:
    body = Body(b"12345", b"678901")
    refused = refusal(Inner(), body, content_length=length)
    assert (refused.code, refused.message) == (
        "BODY_TOO_LARGE",
        "The request body exceeds the limit of 10 bytes",
    )
    assert body.left == [b"12345", b"678901"]


@pytest.mark.parametrize("headers", [{}, {"content_length": "5"}, {"content_length": "-1"}, {"content_length": "many"}])
def test_a_body_is_refused_as_soon_as_it_is_too_large(headers: dict[str, str]) -> None:
    inner, body = Inner(), Body(b"12345", b"678901", b"never read")
    assert refusal(inner, body, **headers).code == "BODY_TOO_LARGE"
    assert (inner.read, body.left) == (b"12345", [b"never read"])


@pytest.mark.parametrize(("start", "value", "most"), [(b"[1", b",1", MAX_VALUES - 1), (b"{", b":", MAX_KEYS)])
def test_json_has_a_limited_number_of_values_and_keys(start: bytes, value: bytes, most: int) -> None:
    pieces = start + value * (most - 1), value
    for holds, body in (("application/json", Body(*pieces)), ("Multipart/form-data", Body(*pieces, value))):
        call(inner := Inner(), body, 10_000_000, content_type=holds)
        assert inner.read.count(value) >= most
    assert refusal(Inner(), Body(*pieces, value), 10_000_000).code == "BODY_TOO_LARGE"


def test_a_body_that_stops_arriving_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_PAUSE_S", 0.01)
    inner = Inner()
    assert refusal(inner, Body(b"begun", ends=False)).code == "REQUEST_TIMEOUT"
    assert inner.read == b"begun"


def test_waiting_for_the_end_of_the_connection_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_PAUSE_S", 0.01)
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await receive()
        ended.set()

    call(app, Body(b"all"))
    assert ended.is_set()


def test_only_a_fault_that_was_not_answered_reaches_the_server() -> None:
    assert len(call(Inner(RuntimeError("answered")), Body(b""))) == 1
    with pytest.raises(RuntimeError, match="not answered"):
        call(Inner(RuntimeError("not answered"), answers=False), Body(b""))
