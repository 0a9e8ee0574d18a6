"""Settings of the HTTP API: request limits, and fetching photos by URL."""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from graphs.batches import LARGEST_PHOTO
from imaging.decode import Limits
from project.environment import EnvironmentSettings

_HOST = re.compile(r"(?:(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?|\[(?P<ip>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?")


class LimitArgs(EnvironmentSettings):
    """Limits of requests and photos."""

    max_image_size: int = Field(
        10 * 1024 * 1024, gt=0, le=LARGEST_PHOTO, description="Maximum size of a photo, in bytes."
    )
    max_image_pixels: int = Field(
        50_000_000,
        gt=0,
        description="Maximum number of pixels of a photo; lower for formats that must be decoded at full size.",
    )
    max_image_dimension: int = Field(
        1024, ge=64, description="Maximum length of a photo's longer side, in pixels; larger photos are scaled down."
    )
    max_import_size: int = Field(4 * 2**30, gt=0, description="Maximum size of an import, in bytes.")
    request_timeout: float = Field(
        30,
        gt=0,
        description="Timeout of a request, including its upload, in seconds. A request that takes longer gets 503 "
        "(TIMEOUT). Clean-ups have no timeout; imports have one per commit.",
    )
    max_requests: int = Field(
        64, gt=0, description="Maximum number of concurrent requests per ingress replica. Others get 503 (OVERLOADED)."
    )
    max_faces: int = Field(10_000, gt=0, description="Maximum number of ids in a face database (/add_face).")
    cors_origins: str = Field(
        "*", description="Origins of the websites that may call /api/v1/, comma-separated; * for any, empty for none."
    )

    @property
    def decode(self) -> Limits:
        """The decode gate's limits."""
        return Limits(self.max_image_size, self.max_image_pixels, self.max_image_dimension)

    @property
    def max_body(self) -> int:
        """Maximum size of a request body, in bytes: two photos in base64 and the JSON around them.

        Base64 may be wrapped every 76 characters, with a line break that takes four characters in JSON.
        """
        return 2 * (self.max_image_size * 4 // 3 * 80 // 76) + 64 * 1024


class DownloadArgs(EnvironmentSettings):
    """Fetching photos by URL. Each variable begins with ``FETCH_``."""

    model_config = SettingsConfigDict(env_prefix="FETCH_")

    addresses: bool = Field(True, description="Whether photos are fetched by URL.")
    allowed_hosts: str = Field(
        "",
        description="Hosts to fetch photos from, comma-separated: HOST for ports 80 and 443, HOST:PORT for one port. "
        "Empty: any public host.",
    )
    allowed_networks: str = Field(
        "",
        description="Non-public networks to fetch photos from, on any port, comma-separated, e.g. 10.1.0.0/16.",
    )
    timeout: float = Field(5, gt=0, description="Timeout for fetching a photo, including name resolution, in seconds.")
    max_redirects: int = Field(3, ge=0, description="Maximum number of redirects per photo.")

    @property
    def hosts(self) -> frozenset[tuple[str, int | None]]:
        """The allowed hosts, each with its port, or None for the default ports."""
        return frozenset(map(_host, _entries(self.allowed_hosts)))

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The allowed networks."""
        return tuple(map(ip_network, _entries(self.allowed_networks)))

    @field_validator("allowed_hosts", "allowed_networks")
    @classmethod
    def _can_be_read(cls, text: str, field: ValidationInfo) -> str:
        read: Callable[[str], object] = _host if field.field_name == "allowed_hosts" else ip_network
        for entry in _entries(text):
            read(entry)
        return text


def _entries(text: str) -> list[str]:
    # Keep empty entries so that they are rejected: "," must not mean "no restriction".
    return [entry.strip() for entry in text.split(",")] if text.strip() else []


def _host(entry: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(entry.lower())
    if not found or not 0 < int(found["port"] or 1) < 65536:
        raise ValueError(f"{entry!r} must be HOST or HOST:PORT, with international names in punycode (xn--…)")
    return found["name"] or found["ip"], int(found["port"]) if found["port"] else None
