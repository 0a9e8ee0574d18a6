"""Photos fetched by address from a small server on loopback."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.addresses import Addresses
from api.settings import AddressArgs
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
    no_connection,
    page,
    public,
    refusal,
    serving,
)
from tests.fakes import serve_log

BROKEN = ("DOWNLOAD_FAILED", "The connection was lost while fetching the URL")
TOO_LARGE = ("IMAGE_TOO_LARGE", "The image exceeds the limit of 1024 bytes")
SLOW = ("DOWNLOAD_FAILED", "Fetching the URL took longer than 0.05 seconds")

PEM = """-----BEGIN CERTIFICATE-----
MIIBUDCB96ADAgECAgEBMAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDnBob3Rvcy5l
eGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAZMRcwFQYD
VQQDDA5waG90b3MuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJ+2
QLjnRESxvm+Ggn1rhkmck9D0nsORlKbApuWuGS6UgbSSXSPZV8gEZDTRF0dCFdW5
4VMts6gvWcSiEj78i1yjLjAsMBkGA1UdEQQSMBCCDnBob3Rvcy5leGFtcGxlMA8G
A1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgDNXUnCBXstNWy+Dscfra
99FMvebSlCcyzzdQIybWEWsCIQCW3oJT3LDwzyB6+R2sRP0sBtOIAbFgNs4OESzH
XQHB7g==
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmFGalXgQaasT/Rwq
BeoDkfNRTa02zCN9OY5afWHk/TahRANCAASftkC450REsb5vhoJ9a4ZJnJPQ9J7D
kZSmwKblrhkulIG0kl0j2VfIBGQ00RdHQhXVueFTLbOoL1nEohI+/Itc
-----END PRIVATE KEY-----
"""
"""A certificate of photos.example, signed with its own key, which is used nowhere else."""


def redirect(location: str, status: str = "302 Found") -> bytes:
    return page(b"", status, location=location)


def chunked(body: bytes) -> bytes:
    return head(transfer_encoding="chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


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


def get_page(pages: Page | Mapping[str, Page], path: str = "/photo", **args: Any) -> bytes:
    """Fetch a page of a site."""

    async def run() -> bytes:
        async with serving(pages if isinstance(pages, Mapping) else {"/photo": pages}) as site:
            return await addresses(**args).fetch(site.url(path))

    return asyncio.run(run())


def page_refusal(pages: Page | Mapping[str, Page], path: str = "/photo", **args: Any) -> tuple[str, str]:
    """Code and message of a page's refusal."""
    with pytest.raises(Refused) as caught:
        get_page(pages, path, **args)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("body", [PHOTO, b"", gzip.compress(bytes(10_000), 1)], ids=["photo", "empty", "gzip"])
@pytest.mark.parametrize("form", [page, chunked, lambda body: head(content_encoding="gzip") + body])
def test_the_bytes_are_fetched_unchanged_up_to_the_limit(form: Any, body: bytes) -> None:
    assert get_page(form(body)) == body
    assert page_refusal(form(body.ljust(1025, b"!"))) == TOO_LARGE


def test_the_request_has_the_address_as_it_was_given_and_few_headers() -> None:
    async def run() -> Site:
        async with serving({"/a%2Fb%20c+d~": page()}) as site:
            assert await addresses().fetch(site.url("/a%2Fb%20c+d~?X-Signature=%2F+a&b=#piece")) == PHOTO
            return site

    site = asyncio.run(run())
    assert site.asked == ["/a%2Fb%20c+d~?X-Signature=%2F+a&b="]
    host = {"host": f"127.0.0.1:{site.port}", "connection": "close"}
    assert site.headers == [{**host, "user-agent": "facegraph", "accept": "*/*", "accept-encoding": "identity"}]


def test_neither_cookies_nor_proxies_nor_connections_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    visitors = []

    async def run() -> Site:
        async def answer(writer: asyncio.StreamWriter) -> None:
            visitors.append(writer.get_extra_info("peername"))
            writer.write(page(set_cookie="visitor=17; Path=/"))

        async with serving({"/photo": answer}) as site:
            fetching = addresses()
            for _ in range(2):
                assert await fetching.fetch(site.url()) == PHOTO
            return site

    assert all("cookie" not in headers for headers in asyncio.run(run()).headers)
    assert len(set(visitors)) == 2


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_followed(status: str) -> None:
    assert get_page({"/a/start": redirect("../photo?size=big", status), "/photo": page()}, "/a/start") == PHOTO


def test_redirects_are_limited() -> None:
    chain = {f"/{n}": redirect(f"/{n + 1}") for n in range(3)} | {"/3": page()}
    assert get_page(chain, "/0") == get_page(chain, "/1", max_redirects=2) == PHOTO
    for start, most in (("/0", 2), ("/2", 0)):
        message = f"The URL redirects more than {most} times"
        assert page_refusal(chain, start, max_redirects=most) == ("DOWNLOAD_FAILED", message)


@pytest.mark.parametrize(
    ("location", "refused"),
    [
        ("http://169.254.169.254/latest/meta-data/", NOT_PUBLIC),
        ("file:///etc/passwd", WRONG_SCHEME),
        ("http://me:secret@127.0.0.1/", WITH_USER),
        ("http://127.0.0.1:70000/", NOT_VALID),
    ],
)
def test_a_redirect_passes_every_check(location: str, refused: tuple[str, str]) -> None:
    assert page_refusal(redirect(location)) == refused


def test_the_host_of_a_redirect_is_resolved_again() -> None:
    names, wire = Names({"photos.example": [["8.8.8.8"], ["10.0.0.1"]]}), Wire(found(302, location="/next"))
    assert refusal(public(names, wire), "http://photos.example/") == NOT_PUBLIC
    assert wire.hosts == ["8.8.8.8"]


@pytest.mark.parametrize(("start", "target"), [("https", "http"), ("http", "https"), ("https", "https")])
def test_only_a_redirect_from_https_to_http_is_refused(start: str, target: str) -> None:
    wire = Wire(found(301, location=f"{target}://photos.example/"), found())
    of = public(Names({"photos.example": [["8.8.8.8"]] * 2}), wire)
    if (start, target) == ("https", "http"):
        message = "The URL redirects from HTTPS to HTTP"
        assert refusal(of, f"{start}://photos.example/") == ("URL_NOT_ALLOWED", message)
    else:
        assert get(of, f"{start}://photos.example/") == PHOTO
        assert [str(request.url) for request in wire.sent] == [f"{start}://8.8.8.8/", f"{target}://8.8.8.8/"]


def status_refused(status: str) -> tuple[str, str]:
    return "DOWNLOAD_FAILED", f"The URL returned status {status[:3]}"


BAD: dict[str, tuple[Page, tuple[str, str]]] = {
    **{status: (page(status=status), status_refused(status)) for status in ("206 Partial", "302 Found", "500 Oh")},
    **{status: (head(status), status_refused(status)) for status in ("204 No Content", "304 Same")},
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
    assert page_refusal(answer, timeout=0.05 if expected == SLOW else 5) == expected


def test_a_host_that_is_slow_or_has_no_address_is_refused() -> None:
    async def resolve(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    assert refusal(Addresses(AddressArgs(timeout=0.05), 10, resolve, Wire), "http://slow.example/") == SLOW
    assert refusal(public(), "http://unknown.example/") == NOT_FOUND
    assert refusal(public(Names({"empty.example": [[]]})), "http://empty.example/") == NOT_FOUND


def test_a_closed_port_is_refused() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert refusal(addresses(), f"http://127.0.0.1:{closed.getsockname()[1]}/") == NO_CONNECTION


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
def test_tls_is_verified_against_the_name(host: str, trusted: bool, fetched: bool, tmp_path: Path) -> None:
    (tmp_path / "photos.pem").write_text(PEM)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "photos.pem")
    names = Names({name: [["127.0.0.1"]] for name in ("photos.example", "photos.example.", "other.example")})
    wire = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cadata=PEM)) if trusted else None

    async def run() -> Site:
        async with serving(tls=tls) as site:
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
        async with serving({"/photo": answer}) as site:
            with pytest.raises(error):
                async with asyncio.timeout(0.05 if error is TimeoutError else None):
                    await addresses().fetch(site.url())
            await site.left.wait()

    asyncio.run(run())


def test_cancelled_fetches_free_their_slots() -> None:
    async def run() -> bytes:
        async with serving({"/never": never, "/slowly": slowly, "/photo": page()}) as site:
            impatient = addresses(timeout=0.2)
            urls = [site.url("/never"), site.url("/slowly")] * 50
            refused = await asyncio.gather(*map(impatient.fetch, urls), return_exceptions=True)
            assert [type(each) for each in refused] == [Refused] * 100
            return await impatient.fetch(site.url())

    assert asyncio.run(run()) == PHOTO


def test_up_to_32_photos_are_fetched_at_once() -> None:
    async def run() -> list[int]:
        all_at_once, inside, counts = asyncio.Barrier(32), 0, []

        async def answer(writer: asyncio.StreamWriter) -> None:
            nonlocal inside
            inside += 1
            counts.append(inside)
            await all_at_once.wait()
            inside -= 1
            writer.write(page())

        async with serving({"/photo": answer}) as site:
            fetching = addresses()
            assert await asyncio.gather(*(fetching.fetch(site.url()) for _ in range(64))) == [PHOTO] * 64
        return counts

    assert max(asyncio.run(run())) == 32


def test_the_log_has_the_cause_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ray.serve")
    names = Names({"intranet.example": [["10.0.0.1"]]})
    with serve_log() as log:
        refusal(public(names), "http://intranet.example/photo%0A.jpg?signature=secret")
        refusal(public(), "http://me:secret@8.8.8.8/photo")
        refusal(public(), "http://a\nb/?signature=secret")
        refusal(public(wire=Wire(*[no_connection()] * 2)), "https://8.8.8.8/photo?signature=secret")
    lines = [record.getMessage() for record in log]
    assert "Not fetching http://intranet.example/photo%0A.jpg: URL_NOT_ALLOWED" in lines[0]
    assert "10.0.0.1" in lines[0]
    assert [record.levelname for record in log] == ["INFO"] * 4
    assert "refused" in lines[3]
    assert not any("secret" in line for line in lines)
