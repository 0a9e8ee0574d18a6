"""Fetches photos by address from the public internet, so that no client reaches the internal network through it."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import cached_property, partial
from ipaddress import ip_address

import httpx

from api.networks import IPAddress, is_public
from api.settings import AddressArgs
from imaging.refused import Refused

logger = logging.getLogger("ray.serve")

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Resolves a host to its IP addresses. Raises `OSError` or `UnicodeError` if it has none."""

MAX_URL = 4096
"""Most characters of an address. Signed ones have up to two thousand."""

_PORTS = {"http": 80, "https": 443}
_CONCURRENT = 32
_MOST_TRIED = 3
_HEADERS = {
    "User-Agent": "facegraph",
    "Accept": "*/*",
    # A compressed body could exceed every limit.
    "Accept-Encoding": "identity",
    "Connection": "close",
}


class Addresses:
    """Fetches photos by address.

    A host is resolved here, all of its IP addresses are checked, and the connection goes to one of them, so a name that
    resolves differently later cannot bypass the check. TLS is verified against the name. Each redirect is checked in
    the same way.

    Args:
        args: which addresses may be fetched.
        max_bytes: size limit of a photo.
        resolve: a `Resolver` by default.
        transport: makes the transport of one request, by default a new connection. Transports are the layer below
            httpx's clients, without their cookies, redirects, proxies and logged addresses.
    """

    def __init__(
        self,
        args: AddressArgs,
        max_bytes: int,
        resolve: Resolve | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self._args = args
        self._hosts, self._networks = args.hosts, args.networks
        self._max_bytes = max_bytes
        self._resolve = resolve or Resolver()
        self._transport = transport or self._connection
        self._slots = asyncio.Semaphore(_CONCURRENT)

    async def fetch(self, url: str) -> bytes:
        """Fetch an http or https address.

        Raises:
            Refused: ``URL_NOT_ALLOWED``, ``DOWNLOAD_FAILED`` or ``IMAGE_TOO_LARGE``.
        """
        if not self._args.addresses:
            raise Refused("URL_NOT_ALLOWED", "This service does not fetch addresses; send the photo as base64")
        first = target = _parse(url)
        try:
            async with asyncio.timeout(self._args.timeout):
                for _ in range(self._args.max_redirects + 1):
                    found = await self._get(target)
                    if isinstance(found, bytes):
                        return found
                    if (target.scheme, found.scheme) == ("https", "http"):
                        raise _not_allowed(found, "The address redirects from https to http")
                    target = found
        except TimeoutError:
            raise _failed(target, f"The address took longer than {self._args.timeout:g} seconds") from None
        raise _failed(first, f"The address redirects more than {self._args.max_redirects} times")

    async def _get(self, url: httpx.URL) -> bytes | httpx.URL:
        """Fetch one address, or return the address that it redirects to."""
        checked = await self._check(url)
        try:
            async with (
                self._slots,
                self._transport() as transport,
                aclosing(await _connect(transport, url, checked)) as response,
            ):
                if response.has_redirect_location:
                    return _parse(response.headers["location"], url)
                if response.status_code != 200:
                    raise _failed(url, f"The address answered with status {response.status_code}")
                return await self._read(response)
        except httpx.ConnectError as error:
            raise _failed(url, "No connection to the address could be made", error) from None
        except httpx.TransportError as error:
            raise _failed(url, "The connection to the address broke", error) from None

    async def _check(self, url: httpx.URL) -> list[IPAddress]:
        """Return the IP addresses of the URL's host. Refuse the URL unless it and all of them are allowed."""
        if url.scheme not in _PORTS:
            raise _not_allowed(url, "Only http and https addresses are fetched")
        if url.userinfo:
            raise _not_allowed(url, "Addresses with a user name or a password are not fetched")
        host, port = _name(url), _PORTS[url.scheme] if url.port is None else url.port
        if not host or not 0 < port < 65536:
            raise _not_allowed(url, "The address is not valid")
        port_is_listed = (host, port) in self._hosts
        if self._hosts and not port_is_listed and (host, None) not in self._hosts:
            raise _not_allowed(url, "Photos are not fetched from the address's host")
        try:
            found = [ip_address(text) for text in await self._resolve(url.raw_host.decode())]
        except (OSError, UnicodeError) as error:
            raise _failed(url, "The address's host was not found", error) from None
        if not found:
            raise _failed(url, "The address's host was not found")
        outside = [ip for ip in found if not any(ip in network for network in self._networks)]
        # The message names no IP address, so that clients learn nothing of the internal network.
        if inside := [ip for ip in outside if not is_public(ip)]:
            raise _not_allowed(url, "The address leads into a network that is not public", *inside)
        if outside and port not in _PORTS.values() and not port_is_listed:
            raise _not_allowed(url, "Photos are fetched from ports 80 and 443 only")
        return found

    async def _read(self, response: httpx.Response) -> bytes:
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise too_large(self._max_bytes)
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._max_bytes:
                raise too_large(self._max_bytes)
        return bytes(body)

    def _connection(self) -> httpx.AsyncBaseTransport:
        # Connections are neither kept nor shared: TLS is verified for one name, and another may have the same IP
        # address. Besides, a pool of httpcore 1.0 loses a slot for good if a request is cancelled while it gets it.
        return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context(trust_env=False)


class Resolver:
    """The system's name resolution on its own threads, so that slow names do not block those of the event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_CONCURRENT, "resolver")

    async def __call__(self, host: str) -> list[str]:
        """Resolve a host. A number in any form that the system accepts resolves to itself."""
        look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [str(address[0]) for *_, address in found]


def too_large(max_bytes: int) -> Refused:
    """Return the refusal of an encoded photo of more than `max_bytes`."""
    return Refused("IMAGE_TOO_LARGE", f"The image has more than the {max_bytes} bytes that are accepted")


def _parse(text: str, base: httpx.URL | None = None) -> httpx.URL:
    if len(text) > MAX_URL:
        raise _not_allowed(base, f"The address has more than {MAX_URL} characters")
    try:
        return base.join(text) if base else httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise _not_allowed(base, "The address is not valid") from None


async def _connect(transport: httpx.AsyncBaseTransport, url: httpx.URL, checked: Sequence[IPAddress]) -> httpx.Response:
    *more, last = checked[:_MOST_TRIED]
    for ip in more:
        try:
            return await transport.handle_async_request(_request(url, ip))
        except httpx.ConnectError as error:
            logger.info("No connection to %s at %s: %s", _shown(url), ip, error)
    return await transport.handle_async_request(_request(url, last))


def _request(url: httpx.URL, ip: IPAddress) -> httpx.Request:
    headers = {**_HEADERS, "Host": url.netloc.decode()}
    return httpx.Request("GET", url.copy_with(host=str(ip)), headers=headers, extensions={"sni_hostname": _name(url)})


def _name(url: httpx.URL) -> str:
    """The host as certificates and lists spell it."""
    return url.raw_host.decode().removesuffix(".")


def _not_allowed(url: httpx.URL | None, message: str, *causes: object) -> Refused:
    return _logged(url, Refused("URL_NOT_ALLOWED", message), causes)


def _failed(url: httpx.URL, message: str, *causes: object) -> Refused:
    return _logged(url, Refused("DOWNLOAD_FAILED", message), causes)


def _logged(url: httpx.URL | None, refused: Refused, causes: Sequence[object]) -> Refused:
    logger.info("%s is not fetched: %s", _shown(url), ", ".join(map(str, (refused, *causes))))
    return refused


def _shown(url: httpx.URL | None) -> str:
    """An address for the log, without its query and user info, which may be secret."""
    if url is None:
        return "An address"
    path, _, _ = url.raw_path.partition(b"?")
    return f"{url.scheme}://{url.netloc.decode()}{path.decode()}"
