"""Photos by URL: which URLs are fetched, redirects, bad responses, TLS, limits, and what the log says."""

import asyncio
import gzip
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.photo_downloads import MAX_URL, PhotoDownloads
from api.settings import DownloadArgs
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

TOO_LONG = ("URL_NOT_ALLOWED", "The URL is longer than 4096 characters")
ONLY_PORTS = ("URL_NOT_ALLOWED", "Only ports 80 and 443 are allowed")
NOT_LISTED = ("URL_NOT_ALLOWED", "The URL's host is not in the list of allowed hosts")
FORMS = {
    **dict.fromkeys(["http://", "http:///photo", "https://:80/", "http://a:0/", "http://a:65536/"], NOT_VALID),
    **dict.fromkeys(["http://a\nb/", "http://[::1/", "http://a:b/", "http://a/\ud800", "http://\ud800/"], NOT_VALID),
    **dict.fromkeys(["http://me@8.8.8.8/", "http://me:secret@8.8.8.8/", "http://8.8.8.8\\@127.0.0.1/"], WITH_USER),
    **dict.fromkeys(["ftp://8.8.8.8/", "file:///etc/passwd", "//8.8.8.8/", "8.8.8.8"], WRONG_SCHEME),
    **dict.fromkeys(["http://8.8.8.8:8080/", "https://8.8.8.8:22/"], ONLY_PORTS),
    "http://8.8.8.8/".ljust(MAX_URL + 1, "a"): TOO_LONG,
    **dict.fromkeys(["http://8.8.8.8/".ljust(MAX_URL, "a"), "http://8.8.8.8:443/", "https://8.8.8.8:80/"]),
}


async def outcome(of: PhotoDownloads, url: str) -> tuple[str, str] | None:
    """Code and message of the refusal, or None if the photo is fetched."""
    try:
        assert await of.fetch(url) == PHOTO
    except RequestError as refused:
        return refused.code, refused.message
    return None


@pytest.mark.parametrize("url", FORMS, ids=range(len(FORMS)))
async def test_the_form_and_the_port_decide_first(url: str) -> None:
    assert await outcome(public(wire=Wire(found())), url) == FORMS[url]


@given(st.text())
def test_any_text_is_refused_properly(text: str) -> None:
    of = public()

    async def run() -> list[bytes | BaseException]:
        urls = (f"http://{text}", f"https://photos.example/{text}", text)
        return await asyncio.gather(*map(of.fetch, urls), return_exceptions=True)

    assert [type(refused) for refused in asyncio.run(run())] == [RequestError] * 3


@pytest.mark.parametrize("host", ["a..example", "a" * 64 + ".example", "%00", "127.0.0.1%00.example.com", "localhost"])
async def test_a_host_without_a_public_address_is_refused_by_the_system_s_resolver(host: str) -> None:
    assert await refusal(PhotoDownloads(DownloadArgs(), 10, transport=Wire), f"http://{host}/") in (
        NOT_VALID,
        NOT_FOUND,
        NOT_PUBLIC,
    )


@pytest.mark.parametrize(
    "answer", [["8.8.8.8", "10.0.0.1"], ["::1", "8.8.8.8"], ["8.8.8.8", "2606:4700::1", "fe80::1"]]
)
async def test_a_host_with_any_address_that_is_not_public_is_refused(answer: list[str]) -> None:
    wire = Wire()
    assert await refusal(public(Names({"mixed.example": [answer]}), wire), "http://mixed.example/") == NOT_PUBLIC
    assert wire.sent == []


async def test_the_connection_goes_to_the_checked_address_and_names_the_host() -> None:
    names, wire = Names({"photos.example.": [["8.8.8.8"], ["127.0.0.1"]]}), Wire(found())
    of, url = public(names, wire), "https://Photos.Example.:80/a?b"
    assert await of.fetch(url) == PHOTO
    assert names.asked == ["photos.example."]
    [request] = wire.sent
    assert (str(request.url), request.headers["host"]) == ("https://8.8.8.8:80/a?b", "photos.example.:80")
    assert request.extensions["sni_hostname"] == "photos.example"
    # The host is resolved and checked for each fetch.
    assert await refusal(of, url) == NOT_PUBLIC
    assert wire.sent == [request]


async def test_up_to_three_addresses_of_a_host_are_tried() -> None:
    answer, refused = ["2606:4700::1", "8.8.8.8", "1.1.1.1", "9.9.9.9"], httpx.ConnectError("refused")
    wire = Wire(refused, found())
    assert await public(Names({"two.example": [answer]}), wire).fetch("http://two.example/") == PHOTO
    assert wire.urls == ["http://[2606:4700::1]/", "http://8.8.8.8/"]
    wire = Wire(*[refused] * 4)
    assert await refusal(public(Names({"none.example": [answer]}), wire), "http://none.example/") == NO_CONNECTION
    assert len(wire.sent) == 3


@pytest.mark.parametrize(
    ("url", "expected"),
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
async def test_if_hosts_are_listed_no_others_are_fetched_from(url: str, expected: tuple[str, str] | None) -> None:
    names = Names({host: [["8.8.8.8"]] for host in ("photos.example", "photos.example.", "cdn.example")})
    of = public(names, Wire(found()), allowed_hosts="Photos.Example, cdn.example:8080, [2606:4700::1]")
    assert await outcome(of, url) == expected


async def test_a_listed_host_must_be_public_unless_its_network_is_allowed() -> None:
    names = Names({"intranet.example": [["10.0.0.1"]] * 2})
    assert await refusal(public(names, allowed_hosts="intranet.example"), "http://intranet.example/") == NOT_PUBLIC
    inside = addresses(names, Wire(found()), allowed_hosts="intranet.example", allowed_networks="10.0.0.0/8")
    assert await inside.fetch("http://intranet.example:8080/") == PHOTO


async def test_an_allowed_network_allows_its_own_addresses_only() -> None:
    assert await refusal(addresses(), "http://127.0.0.2/") == NOT_PUBLIC
    mixed = Names({"mixed.example": [["127.0.0.1", "8.8.8.8"]]})
    assert await refusal(addresses(mixed), "http://mixed.example:8080/") == ONLY_PORTS
    assert await refusal(addresses(), "http://[::ffff:127.0.0.1]/") == NOT_PUBLIC


async def test_nothing_is_resolved_if_fetching_is_off() -> None:
    names, wire = Names(), Wire()
    message = "Fetching photos by URL is disabled; send the photo as base64"
    assert await refusal(public(names, wire, addresses=False), "http://8.8.8.8/") == ("URL_NOT_ALLOWED", message)
    assert names.asked == []
    assert wire.sent == []


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
        await asyncio.sleep(0)  # If there were room for one more fetch, it would begin before the first of these ends.
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
