"""The bounds around every request: its id, and the size and the pace of its body."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.types import Message, Receive, Scope, Send

from api import limits
from api.limits import RequestBounds
from api.settings import LimitArgs
from imaging.refused import Refused
from tests.fakes import client


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


class Caller:
    """A connection that sends a body in pieces. `left` are those not read yet."""

    def __init__(self, *pieces: bytes, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.left = list(pieces)
        self.sent: list[Message] = []
        self.scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers]}

    async def receive(self) -> Message:
        piece = self.left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.left)}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def call(self, app: Inner, max_body: int) -> None:
        asyncio.run(RequestBounds(app, max_body)(self.scope, self.receive, self.send))


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_the_greatest_size_is_read_whole(declared: bool) -> None:
    inner, headers = Inner(), [("content-length", "10")] if declared else []
    caller = Caller(b"12345", b"67890", headers=headers)
    caller.call(inner, 10)
    assert inner.read == b"1234567890"
    assert [message["type"] for message in caller.sent] == ["http.response.start"]


def test_a_body_that_stops_coming_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_PAUSE_S", 0.01)

    async def stalls() -> Message:
        if caller.left:
            return {"type": "http.request", "body": caller.left.pop(), "more_body": True}
        await asyncio.Event().wait()
        raise AssertionError

    inner, caller = Inner(), Caller(b"begun")
    with pytest.raises(Refused) as caught:
        asyncio.run(RequestBounds(inner, 10)(caller.scope, stalls, caller.send))
    assert caught.value.code == "REQUEST_TIMEOUT"
    assert inner.read == b"begun"


def test_waiting_for_the_end_of_the_connection_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_PAUSE_S", 0.01)
    messages: list[Message] = [{"type": "http.request", "body": b"all"}, {"type": "http.disconnect"}]
    read: list[str] = []

    async def receive() -> Message:
        if len(messages) == 1:
            await asyncio.sleep(0.05)
        return messages.pop(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        read.extend([(await receive())["type"], (await receive())["type"]])

    asyncio.run(RequestBounds(app, 10)(Caller().scope, receive, Caller().send))
    assert read == ["http.request", "http.disconnect"]


def test_a_body_that_declares_too_much_is_refused_unread() -> None:
    inner, caller = Inner(), Caller(b"12345", b"678901", headers=[("content-length", "11")])
    with pytest.raises(Refused) as caught:
        caller.call(inner, 10)
    assert caught.value.code == "BODY_TOO_LARGE"
    assert caught.value.message == "The request has more than the 10 bytes that are accepted"
    assert caller.left == [b"12345", b"678901"]


@pytest.mark.parametrize("declared", [None, "5", "-1", "many"])
def test_a_body_that_becomes_too_large_is_refused_there(declared: str | None) -> None:
    inner, headers = Inner(), [("content-length", declared)] if declared else []
    caller = Caller(b"12345", b"678901", b"never read", headers=headers)
    with pytest.raises(Refused) as caught:
        caller.call(inner, 10)
    assert caught.value.code == "BODY_TOO_LARGE"
    assert inner.read == b"12345"
    assert caller.left == [b"never read"]


def test_the_request_id_stands_in_the_state() -> None:
    inner = Inner()
    Caller(b"", headers=[("x-request-id", "caller-17")]).call(inner, 10)
    assert inner.scope["state"]["request_id"] == "caller-17"
    Caller(b"").call(inner, 10)
    assert len(inner.scope["state"]["request_id"]) == 32


def test_a_fault_that_was_answered_does_not_reach_the_server_and_any_other_does() -> None:
    caller = Caller(b"")
    caller.call(Inner(RuntimeError("answered")), 10)
    assert len(caller.sent) == 1
    with pytest.raises(RuntimeError, match="not answered"):
        Caller(b"").call(Inner(RuntimeError("not answered"), answers=False), 10)


def test_the_app_refuses_a_body_by_the_size_of_its_settings() -> None:
    small = LimitArgs(max_image_size=3)
    response = client(limits=small).post("/match", content=b" " * 2 * small.max_body)
    assert response.status_code == 413
    assert response.json()["error"] == f"The request has more than the {small.max_body} bytes that are accepted"


@pytest.mark.parametrize("size", [3, 1000, 10 * 1024 * 1024])
def test_two_photos_of_the_greatest_size_fit_into_a_body(size: int) -> None:
    photo = "A" * (-(-size // 3) * 4)
    body = f'{{"image1": "data:image/jpeg;base64,{photo}", "image2": "data:image/jpeg;base64,{photo}"}}'
    assert len(body) < LimitArgs(max_image_size=size).max_body
