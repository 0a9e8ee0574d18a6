"""Which IP addresses are public, and that no other is connected to, however it is written."""

import asyncio
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.photo_downloads import PhotoDownloads, Resolver
from api.public_ip import IPAddress, is_public
from api.settings import DownloadArgs
from project.request_error import RequestError
from tests.api.sites import Wire

NETWORKS = [
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    )
]
"""Large IPv4 networks that are not public."""
SINGLE = ["168.63.129.16", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.51.100.1", "203.0.113.1", "255.255.255.255"]
"""Further IPv4 addresses that are not public."""
V6 = [
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:2::1", "2001:20::1"),
    *("2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1"),
    *("fd00:ec2::254", "fe80::1", "fe80::1%1", "2606:4700::1111%1", "fec0::1", "ff02::1", "ff0e::1"),
]
"""IPv6 addresses that are not public."""
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::5", "64:ff9b::808:808"]
INSIDE = st.sampled_from(NETWORKS).flatmap(lambda network: st.ip_addresses(v=4, network=network))
CARRIERS = ["::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"]
"""IPv6 networks whose addresses end in an IPv4 address."""
brief = settings(max_examples=100)


def test_public_addresses_are_allowed_and_any_other_is_refused() -> None:
    assert [text for text in (*PUBLIC, *SINGLE, *V6) if is_public(ip_address(text))] == PUBLIC


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_network_is_refused_from_its_first_address_to_its_last(network: IPv4Network) -> None:
    assert not is_public(network.network_address)
    assert not is_public(network.broadcast_address)
    before, after = int(network.network_address) - 1, int(network.broadcast_address) + 1
    around = [IPv4Address(each) for each in (before, after) if 0 < each < 2**32]
    assert all(is_public(each) or any(each in other for other in NETWORKS) for each in around)


@given(st.ip_addresses())
def test_an_allowed_address_is_global_unicast_in_every_form_of_its_text(address: IPAddress) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_private
    assert is_public(ip_address(address.exploded)) == is_public(address) == is_public(ip_address(address.compressed))


@given(st.ip_addresses(v=4))
def test_a_nat64_address_is_judged_by_the_ipv4_address_in_it(address: IPv4Address) -> None:
    assert is_public(IPv6Address((0x64_FF9B << 96) + int(address))) == is_public(address)


@st.composite
def numbers(draw: st.DrawFn, value: int) -> str:
    """A number as C reads it: decimal, octal or hexadecimal, with leading zeros."""
    zeros = "0" * draw(st.integers(0, 3))
    return draw(st.sampled_from([str(value), f"0{zeros}{value:o}", f"0x{zeros}{value:x}", f"0X{zeros}{value:X}"]))


@st.composite
def written(draw: st.DrawFn, address: IPv4Address) -> str:
    """An IPv4 address as the system reads it: one to four parts, the last one for all remaining bytes."""
    parts, value = draw(st.integers(1, 4)), int(address)
    first = [draw(numbers(value >> 8 * (3 - part) & 255)) for part in range(parts - 1)]
    return ".".join([*first, draw(numbers(value & (1 << 8 * (5 - parts)) - 1))])


@st.composite
def carried(draw: st.DrawFn, address: IPv4Address) -> str:
    """An IPv6 address, in brackets, that contains the IPv4 address to which a gateway or tunnel leads."""
    value = int(address)
    ends = [int(IPv6Address(prefix)) + value for prefix in CARRIERS]
    tunnels = [0x2002 << 112 | value << 80, 0x2001_0000 << 96 | value ^ 0xFFFFFFFF]
    six = IPv6Address(draw(st.sampled_from(ends + tunnels)))
    forms = [six.compressed, six.exploded, six.exploded.upper(), f"{six.exploded[:30]}{address}"]
    return f"[{draw(st.sampled_from(forms))}]"


@brief
@given(address=INSIDE, data=st.data())
def test_no_inner_address_is_connected_to_however_it_is_written(address: IPv4Address, data: st.DataObject) -> None:
    host = data.draw(written(address) | carried(address))
    scheme, port = (data.draw(st.sampled_from(of)) for of in (["http", "https", "HTTP"], ["", ":80", ":8080"]))
    wire = Wire()
    with pytest.raises(RequestError):
        asyncio.run(PhotoDownloads(DownloadArgs(), 10, transport=lambda: wire).fetch(f"{scheme}://{host}{port}/photo"))
    assert wire.sent == []


@brief
@given(address=INSIDE, data=st.data())
def test_the_notations_are_those_of_the_system(address: IPv4Address, data: st.DataObject) -> None:
    host = data.draw(written(address))
    assert asyncio.run(Resolver()(host)) == [str(address)]
