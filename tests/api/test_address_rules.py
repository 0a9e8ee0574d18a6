"""Which addresses are fetched: by their form, their host and port, and the IP addresses behind them."""

import asyncio

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.addresses import MAX_URL, Addresses
from api.settings import AddressArgs
from project.request_error import RequestError
from tests.api.sites import (
    NO_CONNECTION,
    NOT_FOUND,
    NOT_PUBLIC,
    NOT_VALID,
    PHOTO,
    WITH_USER,
    WRONG_SCHEME,
    Names,
    Wire,
    addresses,
    found,
    public,
    refusal,
)

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


async def outcome(of: Addresses, url: str) -> tuple[str, str] | None:
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
    assert await refusal(Addresses(AddressArgs(), 10, transport=Wire), f"http://{host}/") in (
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
