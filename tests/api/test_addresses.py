"""Photos fetched by address: from a little server on loopback, which the settings let in, and never from elsewhere."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.addresses import MAX_URL, Addresses, Resolver
from api.limits import deadline
from graphs.settings import AddressArgs
from imaging.refused import Refused
from tests.fakes import serve_log

PHOTO = bytes(range(256)) * 4
LOOPBACK = "127.0.0.1/32"
NOT_PUBLIC = ("URL_NOT_ALLOWED", "The address leads into a network that is not public")
NOT_VALID = ("URL_NOT_ALLOWED", "The address is not a valid one")
NO_CONNECTION = ("DOWNLOAD_FAILED", "No connection to the address could be made")
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

Page = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def page(body: bytes = PHOTO, status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer with the length of its body."""
    return head(status, content_length=str(len(body)), **headers) + body


def head(status: str = "200 OK", **headers: str) -> bytes:
    """An answer's beginning; one without a length ends with the connection."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def to(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return page(b"", status, location=location)


@dataclass
class Site:
    """A server of `pages` by path; any other path is a 404."""

    pages: Mapping[str, Page]
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
            target = request.split(" ")[1]
            self.asked.append(target)
            self.headers.append({name.lower(): value for name, value in (line.split(": ", 1) for line in lines)})
            found = self.pages.get(target.partition("?")[0], page(b"", "404 Not Found"))
            if isinstance(found, bytes):
                writer.write(found)
                await writer.drain()
            else:
                await found(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        except asyncio.CancelledError:
            # The loop's end, which asyncio's streams would log as a fault.
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(pages: Mapping[str, Page] | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    site = Site(pages or {"/photo": page()}, "https" if tls else "http")
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


class Names:
    """A resolver that knows `answers` by host, each of them several in turn; a number is its own address."""

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


class Wire(httpx.AsyncBaseTransport):
    """Keeps what would be sent, and answers in turn; an exception is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def hosts(self) -> list[str]:
        """Whom the connections would go to."""
        return [request.url.host for request in self.sent]


class Body(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield PHOTO


def found(status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=Body())


def no_connection() -> httpx.ConnectError:
    return httpx.ConnectError("refused")


def addresses(
    resolve: Names | None = None, wire: httpx.AsyncBaseTransport | None = None, max_bytes: int = len(PHOTO), **args: Any
) -> Addresses:
    """Addresses that may be fetched from the loopback unless told otherwise."""
    transport = (lambda: wire) if wire else None
    return Addresses(AddressArgs(**{"allowed_networks": LOOPBACK, **args}), max_bytes, resolve or Names(), transport)


def public(resolve: Names | None = None, wire: httpx.AsyncBaseTransport | None = None, **args: Any) -> Addresses:
    """Addresses with the settings that the service has by itself."""
    return addresses(resolve, wire or Wire(), allowed_networks="", **args)


def get(of: Addresses, url: str) -> bytes:
    return asyncio.run(of.fetch(url))


def refusal(of: Addresses, url: str) -> tuple[str, str]:
    """Code and message with which an address is refused."""
    with pytest.raises(Refused) as caught:
        get(of, url)
    return caught.value.code, caught.value.message


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


def chunked(body: bytes) -> bytes:
    return head(transfer_encoding="chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


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


async def never(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def slowly(writer: asyncio.StreamWriter) -> None:
    writer.write(head())
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.005)


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


@pytest.mark.parametrize(
    "host", ["a..example", "a" * 64 + ".example", "a b", "%00", "127.0.0.1%00.example.com", "[fe80::1%25lo]"]
)
def test_a_host_that_is_no_name_is_refused(host: str) -> None:
    of = Addresses(AddressArgs(), 10, transport=Wire)
    assert refusal(of, f"http://{host}/")[0] in ("DOWNLOAD_FAILED", "URL_NOT_ALLOWED")


@pytest.mark.parametrize(
    "url", ["http://", "http:///photo", "http://?", "https://:80/", "http://a:0/", "http://a:65536/"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert refusal(public(), url) == NOT_VALID


@pytest.mark.parametrize("url", ["http://a\nb/", "http://[::1/", "http://a:b/", "http://a/\ud800", "http://\ud800/"])
def test_what_cannot_be_read_as_an_address_is_refused(url: str) -> None:
    assert refusal(public(), url) == NOT_VALID


@given(st.text())
def test_no_text_is_a_fault(text: str) -> None:
    of = public()

    async def run() -> list[bytes | BaseException]:
        urls = (f"http://{text}", f"https://photos.example/{text}", text)
        return await asyncio.gather(*map(of.fetch, urls), return_exceptions=True)

    assert [type(refused) for refused in asyncio.run(run())] == [Refused] * 3


def test_an_address_of_the_greatest_length_is_let_in_and_none_longer() -> None:
    url = "http://8.8.8.8/".ljust(MAX_URL, "a")
    assert get(public(wire=Wire(found())), url) == PHOTO
    assert refusal(public(), url + "a") == ("URL_NOT_ALLOWED", "The address has more than 4096 characters")


@pytest.mark.parametrize("url", ["http://me@8.8.8.8/", "http://me:secret@8.8.8.8/", "http://8.8.8.8\\@127.0.0.1/"])
def test_an_address_with_a_user_is_refused(url: str) -> None:
    message = "Addresses with a user name or a password are not fetched"
    assert refusal(public(), url) == ("URL_NOT_ALLOWED", message)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.1",
        "0177.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "127.0.0.1.",
        "127。0。0。1",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "100.100.100.200",
        "[::1]",
        "[::]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
    ],
)
def test_the_inside_is_not_reached_however_it_is_written(host: str) -> None:
    """Resolved as the system does it; what it does not take for a number is a name that is not found."""
    wire = Wire()
    code, message = refusal(Addresses(AddressArgs(), 10, transport=lambda: wire), f"http://{host}/")
    assert (code, message) in [NOT_PUBLIC, NOT_VALID, ("DOWNLOAD_FAILED", "The address's host was not found")]
    assert wire.sent == []


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2852039166"])
def test_numbers_are_judged_by_the_address_that_the_system_takes_them_for(host: str) -> None:
    assert asyncio.run(Resolver()(host))[0] in ("127.0.0.1", "169.254.169.254")
    assert refusal(Addresses(AddressArgs(), 10, transport=Wire), f"http://{host}/") == NOT_PUBLIC


@pytest.mark.parametrize(
    "answer", [["8.8.8.8", "10.0.0.1"], ["::1", "8.8.8.8"], ["8.8.8.8", "2606:4700::1", "fe80::1"]]
)
def test_a_name_with_any_address_inside_is_refused(answer: list[str]) -> None:
    wire = Wire()
    assert refusal(public(Names({"mixed.example": [answer]}), wire), "http://mixed.example/") == NOT_PUBLIC
    assert wire.sent == []


def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_beside_it() -> None:
    names, wire = Names({"photos.example.": [["8.8.8.8"], ["127.0.0.1"]]}), Wire(found())
    assert get(public(names, wire), "https://Photos.Example./a?b") == PHOTO
    assert names.asked == ["photos.example."]
    [request] = wire.sent
    assert str(request.url) == "https://8.8.8.8/a?b"
    assert request.headers["host"] == "photos.example."
    assert request.extensions["sni_hostname"] == "photos.example"


def test_a_name_that_changes_its_answer_gains_nothing() -> None:
    async def run() -> list[bytes]:
        async with serving({"/photo": page()}) as site:
            names = Names({"photos.example": [["127.0.0.1"], ["127.0.0.2"]]})
            fetching = addresses(names)
            fetched = [await fetching.fetch(site.url(host="photos.example"))]
            assert site.headers[0]["host"] == f"photos.example:{site.port}"
            with pytest.raises(Refused, match="not public"):
                await fetching.fetch(site.url(host="photos.example"))
            assert len(site.asked) == 1
            return fetched

    assert asyncio.run(run()) == [PHOTO]


def test_an_ipv6_address_is_connected_to() -> None:
    names, wire = Names({"six.example": [["2606:4700::1"]]}), Wire(found())
    assert get(public(names, wire), "http://six.example/") == PHOTO
    assert str(wire.sent[0].url) == "http://[2606:4700::1]/"


def test_the_next_address_is_tried_where_there_is_no_connection_to_the_first() -> None:
    answer = ["2606:4700::1", "8.8.8.8", "1.1.1.1", "9.9.9.9"]
    wire = Wire(no_connection(), found())
    assert get(public(Names({"two.example": [answer]}), wire), "http://two.example/") == PHOTO
    assert wire.hosts == answer[:2]
    wire = Wire(*[no_connection()] * 4)
    assert refusal(public(Names({"none.example": [answer]}), wire), "http://none.example/") == NO_CONNECTION
    assert wire.hosts == answer[:3]


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://8.8.8.8/", True),
        ("http://8.8.8.8:443/", True),
        ("https://8.8.8.8:80/", True),
        ("http://8.8.8.8:8080/", False),
        ("https://8.8.8.8:22/", False),
    ],
)
def test_only_the_two_ports_are_fetched_from(url: str, allowed: bool) -> None:
    of = public(wire=Wire(found()))
    if allowed:
        assert get(of, url) == PHOTO
    else:
        assert refusal(of, url) == ("URL_NOT_ALLOWED", "Only the ports 80 and 443 are fetched from")


NOT_LISTED = "The address's host is not one that photos are fetched from"
ONLY_PORTS = "Only the ports 80 and 443 are fetched from"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://photos.example/", None),
        ("https://PHOTOS.example./", None),
        ("http://photos.example:8080/", ONLY_PORTS),
        ("http://cdn.example:8080/", None),
        ("http://cdn.example/", NOT_LISTED),
        ("http://sub.photos.example/", NOT_LISTED),
        ("http://8.8.8.8/", NOT_LISTED),
        ("http://[2606:4700::1]/", None),
    ],
)
def test_where_hosts_are_listed_no_others_are_fetched_from(url: str, problem: str | None) -> None:
    hosts = ["photos.example", "photos.example.", "cdn.example", "sub.photos.example"]
    names = Names({host: [["8.8.8.8"]] for host in hosts})
    of = public(names, Wire(found()), allowed_hosts="Photos.Example, cdn.example:8080, [2606:4700::1]")
    if problem is None:
        assert get(of, url) == PHOTO
    else:
        assert refusal(of, url) == ("URL_NOT_ALLOWED", problem)


def test_a_listed_host_must_be_public_all_the_same() -> None:
    names = Names({"intranet.example": [["10.0.0.1"]] * 2})
    assert refusal(public(names, allowed_hosts="intranet.example"), "http://intranet.example/") == NOT_PUBLIC
    inside = addresses(names, Wire(found()), allowed_hosts="intranet.example", allowed_networks="10.0.0.0/8")
    assert get(inside, "http://intranet.example:8080/") == PHOTO


def test_a_network_lets_in_its_own_addresses_only() -> None:
    assert refusal(addresses(), "http://127.0.0.2/") == NOT_PUBLIC
    mixed = Names({"mixed.example": [["127.0.0.1", "8.8.8.8"]]})
    assert refusal(addresses(mixed), "http://mixed.example:8080/") == ("URL_NOT_ALLOWED", ONLY_PORTS)
    assert refusal(addresses(), "http://[::ffff:127.0.0.1]/") == NOT_PUBLIC


def test_where_addresses_are_off_none_is_looked_at() -> None:
    names, wire = Names(), Wire()
    message = "Addresses are not fetched by this service; send the photo as base64"
    assert refusal(public(names, wire, addresses=False), "http://8.8.8.8/") == ("URL_NOT_ALLOWED", message)
    assert names.asked == []
    assert wire.sent == []


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
            with pytest.raises(Refused) as caught:
                async with deadline(0.05):
                    await addresses().fetch(site.url())
            assert caught.value.code == "TIMEOUT"
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
