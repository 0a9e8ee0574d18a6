"""No address of the inside is connected to, in whatever notation it is written."""

import asyncio
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.addresses import Addresses, Resolver
from api.networks import is_public
from api.settings import AddressArgs
from imaging.refused import Refused
from tests.api.sites import Wire

NETWORKS = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
INSIDE = st.sampled_from(NETWORKS).flatmap(lambda network: st.ip_addresses(v=4, network=network))
brief = settings(max_examples=100)


@st.composite
def numbers(draw: st.DrawFn, value: int) -> str:
    """A number as C reads it: decimal, octal or hexadecimal, with zeros before it."""
    zeros = "0" * draw(st.integers(0, 3))
    return draw(st.sampled_from([str(value), f"0{zeros}{value:o}", f"0x{zeros}{value:x}", f"0X{zeros}{value:X}"]))


@st.composite
def written(draw: st.DrawFn, address: IPv4Address) -> str:
    """An IPv4 address as the system takes it: one to four parts, of which the last has what is left."""
    parts, value = draw(st.integers(1, 4)), int(address)
    first = [draw(numbers(value >> 8 * (3 - part) & 255)) for part in range(parts - 1)]
    return ".".join([*first, draw(numbers(value & (1 << 8 * (5 - parts)) - 1))])


@st.composite
def carried(draw: st.DrawFn, address: IPv4Address) -> str:
    """An IPv6 address that has an IPv4 one inside, where some network takes it out again, in brackets."""
    value = int(address)
    six = IPv6Address(
        draw(
            st.sampled_from(
                [
                    value,
                    0xFFFF << 32 | value,
                    0xFFFF << 48 | value,
                    0x64_FF9B << 96 | value,
                    0x64_FF9B_0001 << 80 | value,
                    0x2002 << 112 | value << 80,
                    0x2001_0000 << 96 | value ^ 0xFFFFFFFF,
                ]
            )
        )
    )
    forms = [six.compressed, six.exploded, six.exploded.upper(), f"{six.exploded[:30]}{address}"]
    return f"[{draw(st.sampled_from(forms))}]"


def connections(url: str) -> list[str]:
    """Hosts that fetching `url` connects to; nothing is answered there."""
    wire = Wire()
    of = Addresses(AddressArgs(), 10, transport=lambda: wire)
    with pytest.raises(Refused):
        asyncio.run(of.fetch(url))
    return wire.hosts


@brief
@given(address=INSIDE, data=st.data())
def test_nothing_inside_is_connected_to_however_it_is_written(address: IPv4Address, data: st.DataObject) -> None:
    host = data.draw(written(address) | carried(address))
    scheme, port = (data.draw(st.sampled_from(of)) for of in (["http", "https", "HTTP"], ["", ":80", ":8080"]))
    assert connections(f"{scheme}://{host}{port}/photo") == []


@brief
@given(address=INSIDE, data=st.data())
def test_the_notations_are_those_of_the_system(address: IPv4Address, data: st.DataObject) -> None:
    host = data.draw(written(address))
    assert asyncio.run(Resolver()(host)) == [str(address)]


@brief
@given(address=st.ip_addresses())
def test_an_address_is_judged_alike_in_every_form_of_its_text(address: IPv4Address | IPv6Address) -> None:
    assert is_public(ip_address(address.exploded)) == is_public(address) == is_public(ip_address(address.compressed))


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_a_network_is_inside_from_its_first_address_to_its_last(network: IPv4Network) -> None:
    assert not is_public(network.network_address)
    assert not is_public(network.broadcast_address)
    before, after = int(network.network_address) - 1, int(network.broadcast_address) + 1
    around = [IPv4Address(each) for each in (before, after) if 0 < each < 2**32]
    assert all(is_public(each) or any(each in other for other in NETWORKS) for each in around)
