"""A small server on loopback, and fake resolvers and transports."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import httpx
import pytest

from api.addresses import Addresses
from api.settings import AddressArgs
from imaging.refused import Refused

PHOTO = bytes(range(256)) * 4
NOT_PUBLIC = ("URL_NOT_ALLOWED", "The URL resolves to a non-public IP address")
NOT_VALID = ("URL_NOT_ALLOWED", "The URL is not valid")
WRONG_SCHEME = ("URL_NOT_ALLOWED", "Only http and https URLs are supported")
WITH_USER = ("URL_NOT_ALLOWED", "URLs with a user name or password are not allowed")
NO_CONNECTION = ("DOWNLOAD_FAILED", "Could not connect to the URL's host")
NOT_FOUND = ("DOWNLOAD_FAILED", "The URL's host could not be resolved")

Page = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def head(status: str = "200 OK", **headers: str) -> bytes:
    """The head of a response, which ends with the connection unless it declares a length."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def page(body: bytes = PHOTO, **headers: str) -> bytes:
    """A response that declares the length of its body."""
    return head(content_length=str(len(body)), **headers) + body


@dataclass
class Site:
    """Answers every request with `page`."""

    page: Page
    scheme: str
    port: int = 0
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/photo", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            self.asked.append(request.split(" ")[1])
            self.headers.append({name.lower(): value for name, value in (line.split(": ", 1) for line in lines)})
            if isinstance(self.page, bytes):
                writer.write(self.page)
                await writer.drain()
            else:
                await self.page(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        except asyncio.CancelledError:
            # The event loop ends, which asyncio's streams would log as an error.
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(page: Page, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    site = Site(page, "https" if tls else "http")
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


class Names:
    """Resolves hosts to their `answers` in turn, and numbers to themselves."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]] | None = None) -> None:
        self.answers = {host: list(turns) for host, turns in (answers or {}).items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        with suppress(ValueError):
            return [str(ip_address(host))]
        if not self.answers.get(host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.answers[host].pop(0)


class Wire(httpx.MockTransport):
    """Records requests and returns the answers in turn, or raises those that are exceptions."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        super().__init__(self.answer)
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def urls(self) -> list[str]:
        """The addresses that were asked for."""
        return [str(request.url) for request in self.sent]


async def photo() -> AsyncIterator[bytes]:
    yield PHOTO


def found(status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, content=photo())


def addresses(resolve: Any = None, wire: httpx.AsyncBaseTransport | None = None, **args: Any) -> Addresses:
    """Fetches from loopback by default."""
    transport = (lambda: wire) if wire else None
    settings = AddressArgs(**{"allowed_networks": "127.0.0.1/32", **args})
    return Addresses(settings, len(PHOTO), resolve or Names(), transport)


def public(resolve: Any = None, wire: httpx.AsyncBaseTransport | None = None, **args: Any) -> Addresses:
    """Fetches with the default settings of the service."""
    return addresses(resolve, wire or Wire(), allowed_networks="", **args)


def get(of: Addresses, url: str) -> bytes:
    return asyncio.run(of.fetch(url))


def refusal(of: Addresses, url: str) -> tuple[str, str]:
    """Code and message of an address's refusal."""
    with pytest.raises(Refused) as caught:
        get(of, url)
    return caught.value.code, caught.value.message
