"""Distinguishes public IP addresses from internal ones."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address

# From IANA's registries. In Python 3.11, `ipaddress` counts multicast, 6to4 and all of ::/3 as global.
_INSIDE_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; includes Alibaba's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # a public address that Azure uses for the host of each virtual machine
        "169.254.0.0/16",  # link-local; includes most clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; includes Oracle's metadata service
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
"""Global unicast. Loopback, link-local, private, multicast and IPv4-mapped addresses are outside this network."""
_INSIDE_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; includes Teredo, which embeds an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, which embeds an IPv4 address
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPAddress) -> bool:
    """Return whether `address` is a global unicast address.

    An IPv6 address that embeds an IPv4 address is not public. The exception is NAT64, by which an IPv6-only network
    reaches IPv4 hosts: such an address is public if the embedded address is.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _INSIDE_V4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(IPv4Address(address.packed[-4:]))
    return address in _UNICAST_V6 and not any(address in network for network in _INSIDE_V6)
