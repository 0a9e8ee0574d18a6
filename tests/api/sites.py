"""A server on loopback, and fake resolvers, connections and bodies."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Any

import httpx
import pytest

from api.photo_downloads import PhotoDownloads
from api.settings import DownloadArgs
from project.request_error import RequestError

PHOTO = bytes(range(256)) * 4
NOT_PUBLIC = ("URL_NOT_ALLOWED", "The URL resolves to a non-public IP address")
NOT_VALID = ("URL_NOT_ALLOWED", "The URL is not valid")
WRONG_SCHEME = ("URL_NOT_ALLOWED", "Only http and https URLs are supported")
WITH_USER = ("URL_NOT_ALLOWED", "URLs with a user name or password are not allowed")
NO_CONNECTION = ("DOWNLOAD_FAILED", "Could not connect to the URL's host")
NOT_FOUND = ("DOWNLOAD_FAILED", "The URL's host could not be resolved")


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve `PHOTO` at every path, and close each connection after it. Yields the port and the requests' heads."""
    heads = list[str]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: visitor=17; Path=/\r\nContent-Length: 1024\r\n\r\n" + PHOTO)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1], heads


class Names:
    """Resolves hosts to their `answers` in turn, and IP addresses to themselves."""

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


class Body(httpx.AsyncByteStream):
    """A body that arrives in pieces, one each `pause` seconds; an exception among them is raised."""

    def __init__(self, *pieces: bytes | Exception, pause: float = 0) -> None:
        self.pieces, self.pause, self.closed = pieces, pause, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await asyncio.sleep(self.pause)
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def aclose(self) -> None:
        self.closed = True


def found(status: int = 200, body: Body | None = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=body or Body(PHOTO))


class Wire(httpx.MockTransport):
    """Records requests and returns the answers in turn, or raises those that are exceptions."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(self.answer)
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> Any:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def urls(self) -> list[str]:
        """The URLs that were requested."""
        return [str(request.url) for request in self.sent]


def addresses(resolve: Any = None, wire: httpx.AsyncBaseTransport | None = None, **args: Any) -> PhotoDownloads:
    """Fetches from loopback by default."""
    transport = (lambda: wire) if wire else None
    settings = DownloadArgs(**{"allowed_networks": "127.0.0.1/32", **args})
    return PhotoDownloads(settings, len(PHOTO), resolve or Names(), transport)


def public(resolve: Any = None, wire: httpx.AsyncBaseTransport | None = None, **args: Any) -> PhotoDownloads:
    """Fetches with the default settings of the service."""
    return addresses(resolve, wire or Wire(), allowed_networks="", **args)


async def refusal(of: PhotoDownloads, url: str) -> tuple[str, str]:
    """Code and message of a URL's refusal."""
    with pytest.raises(RequestError) as caught:
        await of.fetch(url)
    return caught.value.code, caught.value.message
