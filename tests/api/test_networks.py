"""Which IP addresses are public."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.networks import Address, is_public

PUBLIC = ["8.8.8.8", "93.184.216.34", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0"]
INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
INSIDE_V6 = [
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "2606:4700::1111%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


def carried(network: str, address: IPv4Address) -> IPv6Address:
    """An IPv6 address that ends in an IPv4 one."""
    return IPv6Address(int(IPv6Address(network)) + int(address))


@pytest.mark.parametrize("text", [*PUBLIC, "2606:4700:4700::1111", "2a00:1450:4001::5", "64:ff9b::808:808"])
def test_a_public_address_is_let_in(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", [*INSIDE, *INSIDE_V6])
def test_any_other_is_not(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("prefix", ["::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"])
@pytest.mark.parametrize("text", INSIDE)
def test_what_is_inside_stays_so_whatever_carries_it(prefix: str, text: str) -> None:
    assert not is_public(carried(prefix, IPv4Address(text)))


@given(st.ip_addresses())
def test_what_is_let_in_is_a_global_unicast_address(address: Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_private


@given(st.ip_addresses(v=4))
def test_by_nat64_an_address_is_what_it_carries(address: IPv4Address) -> None:
    assert is_public(carried("64:ff9b::", address)) == is_public(address)


@given(st.ip_addresses(v=4), st.integers(0, 2**80 - 1))
def test_a_tunnel_leads_nowhere(address: IPv4Address, rest: int) -> None:
    six_to_four = IPv6Address((0x2002 << 112) + (int(address) << 80) + rest)
    teredo = IPv6Address((0x20010000 << 96) + (rest << 16))
    assert not is_public(six_to_four)
    assert not is_public(teredo)
