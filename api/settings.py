"""Settings of the HTTP API: request limits, and which photos are fetched by address."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from graphs.batches import LARGEST_PHOTO
from imaging.decode import Limits
from project.environment import EnvironmentSettings

_HOST = re.compile(r"(?:(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?|\[(?P<ip>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?")


class LimitArgs(EnvironmentSettings):
    """What the service lets in."""

    max_image_size: int = Field(10 * 1024 * 1024, gt=0, le=LARGEST_PHOTO, description="Bytes of an encoded photo.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Width times height, as the photo's header states it.")
    max_image_dimension: int = Field(1024, ge=64, description="Longest side that a photo is scaled down to.")
    request_timeout: float = Field(30, gt=0, description="Seconds a request may take.")
    max_requests: int = Field(
        64, gt=0, description="Requests that a replica of the ingress works on at once; one more is refused."
    )
    max_faces: int = Field(10_000, gt=0, description="Ids that a database of POST /add_face may have.")
    cors_origins: str = Field(
        "*", description="Origins of the pages that may call /api/v1/, comma-separated; * for any, nothing for none."
    )

    @property
    def decode(self) -> Limits:
        """The decode gate's limits."""
        return Limits(self.max_image_size, self.max_image_pixels, self.max_image_dimension)

    @property
    def max_body(self) -> int:
        """Bytes of a request's body: two photos in base64 and room for the JSON around them.

        Base64 may be broken every 76 characters, by a line end that JSON writes in four.
        """
        return 2 * (self.max_image_size * 4 // 3 * 80 // 76) + 64 * 1024


class AddressArgs(EnvironmentSettings):
    """Which photos are fetched by address; each variable begins with ``FETCH_``."""

    model_config = SettingsConfigDict(env_prefix="FETCH_")

    addresses: bool = Field(True, description="Whether any are.")
    allowed_hosts: str = Field(
        "",
        description="Where given, the only hosts that photos are fetched from, comma-separated; HOST means the ports "
        "80 and 443 of it, HOST:PORT another one.",
    )
    allowed_networks: str = Field(
        "",
        description="Networks that are let in though they are not public, on any port, comma-separated, "
        "e.g. 10.1.0.0/16.",
    )
    timeout: float = Field(5, gt=0, description="Seconds an address may take, from its name to its last byte.")
    max_redirects: int = Field(3, ge=0, description="Redirects that are followed.")

    @property
    def hosts(self) -> frozenset[tuple[str, int | None]]:
        """The allowed hosts, each with its port or without one."""
        return frozenset(map(_host, _entries(self.allowed_hosts)))

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The allowed networks."""
        return tuple(map(ip_network, _entries(self.allowed_networks)))

    @field_validator("allowed_hosts")
    @classmethod
    def _names_hosts(cls, text: str) -> str:
        for entry in _entries(text):
            _host(entry)
        return text

    @field_validator("allowed_networks")
    @classmethod
    def _names_networks(cls, text: str) -> str:
        for entry in _entries(text):
            ip_network(entry)
        return text


def _entries(text: str) -> list[str]:
    # An empty entry stays one, and is refused: a list that lost its names must not mean that there is none.
    return [entry.strip() for entry in text.split(",")] if text.strip() else []


def _host(entry: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(entry.lower())
    if not found or not 0 < int(found["port"] or 1) < 65536:
        raise ValueError(f"{entry!r} is neither a host nor HOST:PORT; international names begin with xn-- here")
    return found["name"] or found["ip"], int(found["port"]) if found["port"] else None
