"""Which IP addresses belong to the public internet, and which to somebody's inside."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

# Spelt out after IANA's registries, because `ipaddress` of Python 3.11 counts multicast, 6to4 and the whole
# of ::/3 as global.
_INSIDE_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT; Alibaba's metadata is here too
        "127.0.0.0/8",
        "168.63.129.16/32",  # registered as public, and the host of every virtual machine on Azure
        "169.254.0.0/16",  # link-local: most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata is here
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
"""All that is handed out of IPv6: outside of it are loopback, link-local, private, multicast, IPv4-mapped and more."""
_INSIDE_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo, which carries an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether `address` is a global unicast one, which anybody on the internet could reach as well.

    An IPv6 address that carries an IPv4 address is none, but for NAT64's: on a network without IPv4
    every public host has such an address, and it is as public as what it carries.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _INSIDE_V4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(IPv4Address(address.packed[-4:]))
    return address in _UNICAST_V6 and not any(address in network for network in _INSIDE_V6)
