"""How photos are fetched by address: redirects, bad responses, TLS, limits, and what the log says."""

import asyncio
import gzip
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from imaging.refused import Refused
from tests.api.sites import (
    NO_CONNECTION,
    NOT_FOUND,
    NOT_PUBLIC,
    NOT_VALID,
    PHOTO,
    WITH_USER,
    WRONG_SCHEME,
    Names,
    Page,
    Site,
    Wire,
    addresses,
    found,
    get,
    head,
    page,
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


async def never(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def endlessly(writer: asyncio.StreamWriter, piece: bytes = bytes(4096), pause: float = 0) -> None:
    writer.write(head())
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause)


async def slowly(writer: asyncio.StreamWriter) -> None:
    await endlessly(writer, b".", 0.005)


async def declares_too_much(writer: asyncio.StreamWriter) -> None:
    writer.write(head(content_length="1025"))
    await never(writer)


def get_page(page: Page, **args: Any) -> bytes | tuple[str, str]:
    """The photo of a site, or the code and the message of its refusal."""

    async def run() -> bytes:
        async with serving(page) as site:
            return await addresses(**args).fetch(site.url())

    try:
        return asyncio.run(run())
    except Refused as refused:
        return refused.code, refused.message


@pytest.mark.parametrize("body", [PHOTO, b"", gzip.compress(bytes(10_000), 1)], ids=["photo", "empty", "gzip"])
@pytest.mark.parametrize(
    "form",
    [
        page,
        lambda body: head(transfer_encoding="chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
        lambda body: head(content_encoding="gzip") + body,
    ],
    ids=["length", "chunked", "until the end"],
)
def test_the_bytes_are_fetched_unchanged_up_to_the_limit(form: Any, body: bytes) -> None:
    assert get_page(form(body)) == body
    assert get_page(form(body.ljust(1025, b"!"))) == TOO_LARGE


def test_each_request_has_the_address_as_it_was_given_few_headers_and_its_own_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    visitors = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        visitors.append(writer.get_extra_info("peername"))
        writer.write(page(set_cookie="visitor=17; Path=/"))

    async def run() -> Site:
        async with serving(answer) as site:
            fetching = addresses()
            for _ in range(2):
                assert await fetching.fetch(site.url("/a%2Fb%20c+d~?X-Signature=%2F+a&b=#piece")) == PHOTO
            return site

    site = asyncio.run(run())
    assert site.asked == ["/a%2Fb%20c+d~?X-Signature=%2F+a&b="] * 2
    host = {"host": f"127.0.0.1:{site.port}", "connection": "close"}
    assert site.headers == [{**host, "user-agent": "facegraph", "accept": "*/*", "accept-encoding": "identity"}] * 2
    assert len(set(visitors)) == 2


def test_a_redirect_is_followed() -> None:
    wire = Wire(found(307, location="../photo?size=big"), found())
    assert get(public(wire=wire), "http://8.8.8.8/a/start") == PHOTO
    assert wire.urls == ["http://8.8.8.8/a/start", "http://8.8.8.8/photo?size=big"]


@pytest.mark.parametrize("most", [0, 2])
def test_redirects_are_limited(most: int) -> None:
    redirects = [found(302, location="/next") for _ in range(most + 1)]
    assert get(public(wire=Wire(*redirects[:most], found()), max_redirects=most), "http://8.8.8.8/") == PHOTO
    redirects = [found(302, location="/next") for _ in range(most + 1)]
    refused = "DOWNLOAD_FAILED", f"The URL redirects more than {most} times"
    assert refusal(public(wire=Wire(*redirects), max_redirects=most), "http://8.8.8.8/") == refused


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
def test_a_redirect_passes_every_check(location: str, refused: tuple[str, str]) -> None:
    names, wire = Names({"photos.example": [["8.8.8.8"], ["10.0.0.1"]]}), Wire(found(302, location=location))
    assert refusal(public(names, wire), "http://photos.example/") == refused
    assert wire.urls == ["http://8.8.8.8/"]


@pytest.mark.parametrize(("start", "target"), [("https", "http"), ("http", "https"), ("https", "https")])
def test_only_a_redirect_from_https_to_http_is_refused(start: str, target: str) -> None:
    of = public(wire=Wire(found(301, location=f"{target}://8.8.8.8/"), found()))
    if (start, target) == ("https", "http"):
        message = "The URL redirects from HTTPS to HTTP"
        assert refusal(of, f"{start}://8.8.8.8/") == ("URL_NOT_ALLOWED", message)
    else:
        assert get(of, f"{start}://8.8.8.8/") == PHOTO


@pytest.mark.parametrize("status", [204, 206, 302, 304, 500])
def test_a_response_of_another_status_is_refused(status: int) -> None:
    refused = "DOWNLOAD_FAILED", f"The URL returned status {status}"
    assert refusal(public(wire=Wire(found(status))), "http://8.8.8.8/") == refused


BAD: dict[str, tuple[Page, tuple[str, str]]] = {
    "nothing": (b"", BROKEN),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", BROKEN),
    "a length that is no number": (head(content_length="many"), BROKEN),
    "truncated": (head(content_length="10") + b"cut off", BROKEN),
    "endless headers": (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000, BROKEN),
    "no response": (never, SLOW),
    "a slow body": (slowly, SLOW),
    "a length over the limit": (declares_too_much, TOO_LARGE),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_response_is_refused(name: str) -> None:
    answer, expected = BAD[name]
    assert get_page(answer, timeout=0.05 if expected == SLOW else 5) == expected


def test_a_host_that_is_slow_or_has_no_address_is_refused() -> None:
    async def resolve(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    assert refusal(public(resolve, timeout=0.05), "http://slow.example/") == SLOW
    assert refusal(public(), "http://unknown.example/") == NOT_FOUND
    assert refusal(public(Names({"empty.example": [[]]})), "http://empty.example/") == NOT_FOUND


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
def test_tls_is_verified_against_the_name(host: str, trusted: bool, fetched: bool) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    names = Names({name: [["127.0.0.1"]] for name in ("photos.example", "photos.example.", "other.example")})
    wire = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=PEM)) if trusted else None

    async def run() -> Site:
        async with serving(page(), tls) as site:
            if fetched:
                assert await addresses(names, wire).fetch(site.url(host=host)) == PHOTO
            else:
                with pytest.raises(Refused, match=NO_CONNECTION[1]):
                    await addresses(names, wire).fetch(site.url(host=host))
            return site

    assert len(asyncio.run(run()).asked) == fetched


@pytest.mark.parametrize(("answer", "error"), [(endlessly, Refused), (slowly, TimeoutError)])
def test_the_connection_is_closed_at_the_limit_and_at_the_deadline(answer: Page, error: type[Exception]) -> None:
    async def run() -> None:
        async with serving(answer) as site:
            with pytest.raises(error):
                async with asyncio.timeout(0.05 if error is TimeoutError else None):
                    await addresses().fetch(site.url())
            await site.left.wait()

    asyncio.run(run())


def test_cancelled_fetches_free_their_slots() -> None:
    async def run() -> bytes:
        async with serving(never) as site:
            impatient = addresses(timeout=0.2)
            refused = await asyncio.gather(*(impatient.fetch(site.url()) for _ in range(100)), return_exceptions=True)
            assert [type(each) for each in refused] == [Refused] * 100
            site.page = page()
            return await impatient.fetch(site.url())

    assert asyncio.run(run()) == PHOTO


def test_up_to_32_photos_are_fetched_at_once() -> None:
    inside, counts = 0, list[int]()

    async def run() -> None:
        all_at_once = asyncio.Barrier(32)

        async def answer(request: httpx.Request) -> httpx.Response:
            nonlocal inside
            inside += 1
            counts.append(inside)
            await all_at_once.wait()
            inside -= 1
            return found()

        fetching = public(wire=httpx.MockTransport(answer))
        assert await asyncio.gather(*(fetching.fetch("http://8.8.8.8/") for _ in range(64))) == [PHOTO] * 64

    asyncio.run(run())
    assert max(counts) == 32


def test_the_log_has_the_cause_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ray.serve")
    names, broken = Names({"intranet.example": [["10.0.0.1"]]}), Wire(httpx.ConnectError("no route"))
    with serve_log() as log:
        refusal(public(names), "http://intranet.example/photo%0A.jpg?signature=secret")
        refusal(public(), "http://me:secret@8.8.8.8/photo")
        refusal(public(), "http://a\nb/?signature=secret")
        refusal(public(wire=broken), "https://8.8.8.8/photo?signature=secret")
    lines = [record.getMessage() for record in log]
    assert "Not fetching http://intranet.example/photo%0A.jpg: URL_NOT_ALLOWED" in lines[0]
    assert "10.0.0.1" in lines[0]
    assert [record.levelname for record in log] == ["INFO"] * 4
    assert "no route" in lines[3]
    assert not any("secret" in line for line in lines)
