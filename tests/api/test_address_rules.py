"""Which addresses are fetched from at all: their form, their hosts, and where these lead."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.addresses import MAX_URL, Addresses, Resolver
from api.settings import AddressArgs
from imaging.refused import Refused
from tests.api.sites import (
    NO_CONNECTION,
    NOT_PUBLIC,
    NOT_VALID,
    PHOTO,
    Names,
    Wire,
    addresses,
    found,
    get,
    no_connection,
    page,
    public,
    refusal,
    serving,
)

NOT_LISTED = "The address's host is not one that photos are fetched from"


ONLY_PORTS = "Only the ports 80 and 443 are fetched from"


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
