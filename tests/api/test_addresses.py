"""Photos fetched by address: from a little server on loopback, which the settings let in, and never from elsewhere."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.addresses import MAX_URL, Addresses
from api.settings import AddressArgs
from imaging.refused import Refused
from tests.api.sites import (
    NO_CONNECTION,
    NOT_PUBLIC,
    NOT_VALID,
    PHOTO,
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

BROKEN = ("DOWNLOAD_FAILED", "The connection to the address broke")


TOO_LARGE = ("IMAGE_TOO_LARGE", "The image has more than the 1024 bytes that are accepted")


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
"""A certificate of photos.example, signed with its own key, which is of use nowhere."""


def to(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return page(b"", status, location=location)


def get_page(pages: Page | Mapping[str, Page], path: str = "/photo", **args: Any) -> bytes:
    """What is fetched from a site."""

    async def run() -> bytes:
        async with serving(pages if isinstance(pages, Mapping) else {"/photo": pages}) as site:
            return await addresses(**args).fetch(site.url(path))

    return asyncio.run(run())


def page_refusal(pages: Page | Mapping[str, Page], path: str = "/photo", **args: Any) -> tuple[str, str]:
    """Code and message with which a site's page is refused."""
    with pytest.raises(Refused) as caught:
        get_page(pages, path, **args)
    return caught.value.code, caught.value.message


def chunked(body: bytes) -> bytes:
    return head(transfer_encoding="chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


async def never(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def slowly(writer: asyncio.StreamWriter) -> None:
    writer.write(head())
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.005)


def test_the_bytes_are_fetched_whatever_they_are() -> None:
    assert get_page(page(content_type="text/html")) == PHOTO
    assert get_page(page(b"")) == b""


def test_the_address_is_asked_for_as_it_was_given() -> None:
    async def run() -> tuple[Site, list[bytes]]:
        async with serving({"/a%2Fb%20c+d~": page()}) as site:
            fetched = await addresses().fetch(site.url("/a%2Fb%20c+d~?X-Signature=%2F+a&b=#piece"))
            return site, [fetched]

    site, fetched = asyncio.run(run())
    assert fetched == [PHOTO]
    assert site.asked == ["/a%2Fb%20c+d~?X-Signature=%2F+a&b="]
    assert site.headers == [
        {
            "host": f"127.0.0.1:{site.port}",
            "user-agent": "facegraph",
            "accept": "*/*",
            "accept-encoding": "identity",
            "connection": "close",
        }
    ]


def test_no_cookie_no_proxy_and_no_connection_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
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

    site = asyncio.run(run())
    assert all("cookie" not in headers for headers in site.headers)
    assert len(set(visitors)) == 2


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_followed(status: str) -> None:
    assert get_page({"/a/start": to("../photo?size=big", status), "/photo": page()}, "/a/start") == PHOTO


def test_redirects_are_counted() -> None:
    chain = {f"/{n}": to(f"/{n + 1}") for n in range(3)} | {"/3": page()}
    assert get_page(chain, "/0") == PHOTO
    too_many = ("DOWNLOAD_FAILED", "The address redirects more than 2 times")
    assert page_refusal(chain, "/0", max_redirects=2) == too_many
    assert page_refusal({"/photo": to("/photo")}, max_redirects=2) == too_many
    assert page_refusal(chain, "/2", max_redirects=0) == ("DOWNLOAD_FAILED", "The address redirects more than 0 times")


@pytest.mark.parametrize(
    ("location", "refused"),
    [
        ("http://169.254.169.254/latest/meta-data/", NOT_PUBLIC),
        ("//10.0.0.1/", NOT_PUBLIC),
        ("http://127.0.0.2/", NOT_PUBLIC),
        ("file:///etc/passwd", ("URL_NOT_ALLOWED", "Only http and https addresses are fetched")),
        ("gopher://127.0.0.1/", ("URL_NOT_ALLOWED", "Only http and https addresses are fetched")),
        (
            "http://me:secret@127.0.0.1/",
            ("URL_NOT_ALLOWED", "Addresses with a user name or a password are not fetched"),
        ),
        ("http://127.0.0.1:70000/", NOT_VALID),
        ("http://0177.0.0.1/", NOT_VALID),
        ("/" + "a" * MAX_URL, ("URL_NOT_ALLOWED", "The address has more than 4096 characters")),
    ],
)
def test_a_redirect_goes_through_every_check(location: str, refused: tuple[str, str]) -> None:
    assert page_refusal(to(location)) == refused


def test_a_redirect_of_a_name_is_resolved_and_checked_once_more() -> None:
    names, wire = Names({"photos.example": [["8.8.8.8"], ["10.0.0.1"]]}), Wire(found(302, location="/next"))
    assert refusal(public(names, wire), "http://photos.example/") == NOT_PUBLIC
    assert wire.hosts == ["8.8.8.8"]


def test_a_redirect_from_https_to_http_is_refused_and_the_other_way_followed() -> None:
    def site(host: str, *answers: httpx.Response) -> tuple[Addresses, Wire]:
        wire = Wire(*answers)
        return public(Names({"photos.example": [["8.8.8.8"]] * 2}), wire), wire

    down, wire = site("photos.example", found(301, location="http://photos.example/"))
    message = "The address redirects from https to http"
    assert refusal(down, "https://photos.example/") == ("URL_NOT_ALLOWED", message)
    up, wire = site("photos.example", found(301, location="https://photos.example/"), found())
    assert get(up, "http://photos.example/") == PHOTO
    assert [str(request.url) for request in wire.sent] == ["http://8.8.8.8/", "https://8.8.8.8/"]


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial", "302 Found", "304 Same", "404 Gone", "500 Oh"])
def test_any_status_but_200_is_refused(status: str) -> None:
    answer = head(status) if status[:3] in ("204", "304") else page(status=status)
    assert page_refusal(answer) == ("DOWNLOAD_FAILED", f"The address answered with status {status[:3]}")


def test_a_compressed_body_is_not_inflated() -> None:
    compressed = gzip.compress(bytes(10_000_000), 1)
    assert get_page(page(compressed, content_encoding="gzip"), max_bytes=len(compressed)) == compressed


@pytest.mark.parametrize(
    "answer", [page, chunked, lambda body: head() + body], ids=["declared", "chunked", "to the end"]
)
def test_a_photo_of_the_greatest_size_is_let_in_and_none_larger(answer: Callable[[bytes], bytes]) -> None:
    assert get_page(answer(PHOTO)) == PHOTO
    assert page_refusal(answer(PHOTO + b"!")) == TOO_LARGE


def test_a_body_that_declares_too_much_is_not_waited_for() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head(content_length="1025"))
        await never(writer)

    assert page_refusal(answer) == TOO_LARGE


def test_an_endless_body_is_left() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        while True:
            writer.write(bytes(4096))
            await writer.drain()

    async def run() -> None:
        async with serving({"/photo": answer}) as site:
            with pytest.raises(Refused) as caught:
                await addresses().fetch(site.url())
            assert (caught.value.code, caught.value.message) == TOO_LARGE
            await site.left.wait()

    asyncio.run(run())


@pytest.mark.parametrize("answer", [never, slowly])
def test_an_address_that_is_slow_is_given_up(answer: Page) -> None:
    message = "The address took longer than 0.05 seconds"
    assert page_refusal(answer, timeout=0.05) == ("DOWNLOAD_FAILED", message)


def test_a_name_that_is_slow_is_given_up() -> None:
    async def resolve(host: str) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    slow = Addresses(AddressArgs(timeout=0.02), 10, resolve, Wire)
    assert refusal(slow, "http://slow.example/") == ("DOWNLOAD_FAILED", "The address took longer than 0.02 seconds")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        head(content_length="many"),
        head(content_length="10") + b"cut off",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000,
    ],
    ids=["nothing", "no HTTP", "a length that is none", "cut off", "endless headers"],
)
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    assert page_refusal(answer) == BROKEN


def test_a_closed_port_is_refused() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert refusal(addresses(), f"http://127.0.0.1:{closed.getsockname()[1]}/") == NO_CONNECTION


def test_a_host_that_nobody_knows_is_refused() -> None:
    message = ("DOWNLOAD_FAILED", "The address's host was not found")
    assert refusal(public(), "http://nobody.example/") == message
    assert refusal(public(Names({"empty.example": [[]]})), "http://empty.example/") == message


@pytest.fixture(name="tls")
def _tls(tmp_path: Path) -> ssl.SSLContext:
    (tmp_path / "photos.pem").write_text(PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "photos.pem")
    return context


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
def test_tls_is_verified_against_the_name(host: str, trusted: bool, fetched: bool, tls: ssl.SSLContext) -> None:
    names = Names({name: [["127.0.0.1"]] for name in ("photos.example", "photos.example.", "other.example")})
    wire = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cadata=PEM)) if trusted else None

    async def run() -> Site:
        async with serving(tls=tls) as site:
            if fetched:
                assert await addresses(names, wire).fetch(site.url(host=host)) == PHOTO
            else:
                with pytest.raises(Refused) as caught:
                    await addresses(names, wire).fetch(site.url(host=host))
                assert (caught.value.code, caught.value.message) == NO_CONNECTION
            return site

    assert len(asyncio.run(run()).asked) == fetched


def test_at_the_requests_deadline_the_connection_is_closed() -> None:
    async def run() -> None:
        async with serving({"/photo": slowly}) as site:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await addresses().fetch(site.url())
            await site.left.wait()

    asyncio.run(run())


def test_a_slow_address_does_not_keep_another_waiting() -> None:
    async def run() -> None:
        release = asyncio.Event()

        async def slow(writer: asyncio.StreamWriter) -> None:
            await release.wait()
            writer.write(page(b"slow"))

        async with serving({"/slow": slow, "/photo": page()}) as site:
            fetching = addresses()
            first = asyncio.create_task(fetching.fetch(site.url("/slow")))
            assert await fetching.fetch(site.url()) == PHOTO
            assert not first.done()
            release.set()
            assert await first == b"slow"

    asyncio.run(run())


def test_many_that_are_given_up_at_once_leave_room_for_the_next() -> None:
    async def run() -> bytes:
        async with serving({"/never": never, "/slowly": slowly, "/photo": page()}) as site:
            impatient = addresses(timeout=0.2)
            urls = [site.url("/never"), site.url("/slowly")] * 50
            refused = await asyncio.gather(*map(impatient.fetch, urls), return_exceptions=True)
            assert [type(each) for each in refused] == [Refused] * 100
            return await impatient.fetch(site.url())

    assert asyncio.run(run()) == PHOTO


def test_no_more_than_32_are_fetched_side_by_side() -> None:
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
    assert "http://intranet.example/photo%0A.jpg is not fetched: URL_NOT_ALLOWED" in lines[0]
    assert "10.0.0.1" in lines[0]
    assert [record.levelname for record in log] == ["INFO"] * 4
    assert "refused" in lines[3]
    assert not any("secret" in line for line in lines)
