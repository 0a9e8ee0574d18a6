"""How photos are fetched by address: redirects, bad responses, TLS, limits, and what the log says."""

import asyncio
import gzip
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from project.request_error import RequestError
from tests.api.sites import (
    NO_CONNECTION,
    NOT_FOUND,
    NOT_PUBLIC,
    NOT_VALID,
    PHOTO,
    WITH_USER,
    WRONG_SCHEME,
    Body,
    Names,
    Wire,
    addresses,
    found,
    public,
    refusal,
    serving,
)
from tests.fakes import serve_log

BROKEN = ("DOWNLOAD_FAILED", "The connection was lost while fetching the URL")
TOO_LARGE = ("IMAGE_TOO_LARGE", "The image exceeds the limit of 1024 bytes")
SLOW = ("DOWNLOAD_FAILED", "Fetching the URL took longer than 0.05 seconds")
PEM = Path(__file__).with_name("photos.example.pem")
"""A certificate of photos.example, signed with its own key, which is used nowhere else."""


URL = "http://8.8.8.8/photo"


@pytest.mark.parametrize("body", [PHOTO, b"", gzip.compress(bytes(10_000), 1)], ids=["photo", "empty", "gzip"])
@pytest.mark.parametrize("headers", [{}, {"content_encoding": "gzip"}])
async def test_the_bytes_are_fetched_unchanged_up_to_the_limit(headers: dict[str, Any], body: bytes) -> None:
    assert await public(wire=Wire(found(body=Body(body), content_length=str(len(body)), **headers))).fetch(URL) == body
    large = Body(body, b"!" * (1025 - len(body)), b"never read")
    assert await refusal(public(wire=Wire(found(body=large, **headers))), URL) == TOO_LARGE
    assert large.closed


async def test_a_length_over_the_limit_is_refused_unread() -> None:
    body = Body(AssertionError("the body was read"))
    assert await refusal(public(wire=Wire(found(body=body, content_length="1025"))), URL) == TOO_LARGE


async def test_each_request_has_the_address_as_it_was_given_few_headers_and_its_own_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving() as (port, heads):
        fetching = addresses()
        for _ in range(2):
            url = f"http://127.0.0.1:{port}/a%2Fb%20c+d~?X-Signature=%2F+a&b=#piece"
            assert await fetching.fetch(url) == PHOTO
    few = ["User-Agent: facegraph", "Accept: */*", "Accept-Encoding: identity", "Connection: close"]
    for head in heads:
        request, *lines = head.strip().split("\r\n")
        assert request == "GET /a%2Fb%20c+d~?X-Signature=%2F+a&b= HTTP/1.1"
        assert sorted(lines) == sorted([*few, f"Host: 127.0.0.1:{port}"])
    assert len(heads) == 2


async def test_a_redirect_is_followed() -> None:
    wire = Wire(found(307, location="../photo?size=big"), found())
    assert await public(wire=wire).fetch("http://8.8.8.8/a/start") == PHOTO
    assert wire.urls == ["http://8.8.8.8/a/start", "http://8.8.8.8/photo?size=big"]


@pytest.mark.parametrize("most", [0, 2])
async def test_redirects_are_limited(most: int) -> None:
    redirects = [found(302, location="/next") for _ in range(most + 1)]
    assert await public(wire=Wire(*redirects[:most], found()), max_redirects=most).fetch(URL) == PHOTO
    redirects = [found(302, location="/next") for _ in range(most + 1)]
    refused = "DOWNLOAD_FAILED", f"The URL redirects more than {most} times"
    assert await refusal(public(wire=Wire(*redirects), max_redirects=most), URL) == refused


@pytest.mark.parametrize(
    ("location", "refused"),
    [
        ("http://169.254.169.254/latest/meta-data/", NOT_PUBLIC),
        # The host is resolved again.
        ("/next", NOT_PUBLIC),
        ("file:///etc/passwd", WRONG_SCHEME),
        ("http://me:secret@127.0.0.1/", WITH_USER),
        ("http://127.0.0.1:70000/", NOT_VALID),
    ],
)
async def test_a_redirect_passes_every_check(location: str, refused: tuple[str, str]) -> None:
    names, wire = Names({"photos.example": [["8.8.8.8"], ["10.0.0.1"]]}), Wire(found(302, location=location))
    assert await refusal(public(names, wire), "http://photos.example/") == refused
    assert wire.urls == ["http://8.8.8.8/"]


@pytest.mark.parametrize(("start", "target"), [("https", "http"), ("http", "https"), ("https", "https")])
async def test_only_a_redirect_from_https_to_http_is_refused(start: str, target: str) -> None:
    of = public(wire=Wire(found(301, location=f"{target}://8.8.8.8/"), found()))
    if (start, target) == ("https", "http"):
        message = "The URL redirects from HTTPS to HTTP"
        assert await refusal(of, f"{start}://8.8.8.8/") == ("URL_NOT_ALLOWED", message)
    else:
        assert await of.fetch(f"{start}://8.8.8.8/") == PHOTO


@pytest.mark.parametrize("status", [204, 206, 302, 304, 500])
async def test_a_response_of_another_status_is_refused(status: int) -> None:
    refused = "DOWNLOAD_FAILED", f"The URL returned status {status}"
    assert await refusal(public(wire=Wire(found(status))), URL) == refused


@pytest.mark.parametrize("error", [httpx.RemoteProtocolError("no HTTP"), httpx.ReadError("cut off")])
async def test_a_broken_connection_is_refused(error: Exception) -> None:
    assert await refusal(public(wire=Wire(error)), URL) == BROKEN
    assert await refusal(public(wire=Wire(found(body=Body(b"begun", error)))), URL) == BROKEN


async def test_a_slow_response_is_refused() -> None:
    assert await refusal(public(wire=Wire(asyncio.sleep(60)), timeout=0.05), URL) == SLOW
    slow = Body(*[b"."] * 1000, pause=0.005)
    assert await refusal(public(wire=Wire(found(body=slow)), timeout=0.05), URL) == SLOW
    assert slow.closed


async def test_a_host_that_is_slow_or_has_no_address_is_refused() -> None:
    async def resolve(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    assert await refusal(public(resolve, timeout=0.05), "http://slow.example/") == SLOW
    assert await refusal(public(), "http://unknown.example/") == NOT_FOUND
    assert await refusal(public(Names({"empty.example": [[]]})), "http://empty.example/") == NOT_FOUND


@pytest.mark.parametrize(
    ("host", "trusted", "fetched"),
    [
        ("photos.example", True, True),
        ("PHOTOS.example.", True, True),
        ("other.example", True, False),
        ("127.0.0.1", True, False),
        ("photos.example", False, False),
    ],
)
async def test_tls_is_verified_against_the_name(
    host: str, trusted: bool, fetched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))  # The environment's certificates are not trusted.
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    names = Names({name: [["127.0.0.1"]] for name in ("photos.example", "photos.example.", "other.example")})
    wire = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=PEM)) if trusted else None
    async with serving(tls) as (port, heads):
        fetching, url = addresses(names, wire), f"https://{host}:{port}/photo"
        if fetched:
            assert await fetching.fetch(url) == PHOTO
        else:
            with pytest.raises(RequestError, match=NO_CONNECTION[1]):
                await fetching.fetch(url)
        assert len(heads) == fetched


async def test_up_to_32_photos_are_fetched_at_once() -> None:
    inside, counts = 0, list[int]()
    all_at_once = asyncio.Barrier(32)

    async def answer() -> httpx.Response:
        nonlocal inside
        inside += 1
        counts.append(inside)
        await all_at_once.wait()
        await asyncio.sleep(0)  # One more would come before the first has left.
        inside -= 1
        return found()

    fetching = public(wire=Wire(*(answer() for _ in range(64))))
    assert await asyncio.gather(*(fetching.fetch(URL) for _ in range(64))) == [PHOTO] * 64
    assert max(counts) == 32


async def test_the_log_has_the_cause_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ray.serve")
    names, broken = Names({"intranet.example": [["10.0.0.1"]]}), Wire(httpx.ConnectError("no route"))
    with serve_log() as log:
        await refusal(public(names), "http://intranet.example/photo%0A.jpg?signature=secret")
        await refusal(public(), "http://me:secret@8.8.8.8/photo")
        await refusal(public(), "http://a\nb/?signature=secret")
        await refusal(public(wire=broken), "https://8.8.8.8/photo?signature=secret")
    lines = [record.getMessage() for record in log]
    assert "Not fetching http://intranet.example/photo%0A.jpg: URL_NOT_ALLOWED" in lines[0]
    assert "10.0.0.1" in lines[0]
    assert [record.levelname for record in log] == ["INFO"] * 4
    assert "no route" in lines[3]
    assert not any("secret" in line for line in lines)
