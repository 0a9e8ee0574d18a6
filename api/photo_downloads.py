"""Fetches photos by URL from the public internet only, so that clients cannot reach the internal network."""

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

from api.public_ip import IPAddress, is_public
from api.settings import DownloadArgs
from imaging.photo_errors import too_large
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Resolves a host to its IP addresses. Raises `OSError` or `UnicodeError` if it has none."""

MAX_URL = 4096
"""Maximum length of a URL, in characters. Signed URLs have up to two thousand."""

_PORTS = {"http": 80, "https": 443}
_CONCURRENT = 32
_MAX_TRIED = 3
_HEADERS = {
    "User-Agent": "facegraph",
    "Accept": "*/*",
    # A compressed body could exceed the size limit when it is decompressed.
    "Accept-Encoding": "identity",
    "Connection": "close",
}


class PhotoDownloads:
    """Fetches photos by URL.

    A host is resolved here, all of its IP addresses are checked, and the connection goes to one of them, so a name that
    resolves differently later cannot bypass the check. TLS is verified against the name. Each redirect is checked in
    the same way.

    Args:
        args: which URLs may be fetched.
        max_bytes: size limit of a photo.
        resolve: a `Resolver` by default.
        transport: creates the transport of one request, by default a new connection. Transports are the layer below
            httpx's clients, without their cookies, redirects, proxies and logged URLs.
    """

    def __init__(
        self,
        args: DownloadArgs,
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
        """Fetch an http or https URL.

        Raises:
            RequestError: ``URL_NOT_ALLOWED``, ``DOWNLOAD_FAILED`` or ``IMAGE_TOO_LARGE``.
        """
        if not self._args.addresses:
            raise RequestError("URL_NOT_ALLOWED", "Fetching photos by URL is disabled; send the photo as base64")
        first = target = _parse(url)
        try:
            async with asyncio.timeout(self._args.timeout):
                for _ in range(self._args.max_redirects + 1):
                    found = await self._get(target)
                    if isinstance(found, bytes):
                        return found
                    if (target.scheme, found.scheme) == ("https", "http"):
                        raise _not_allowed(found, "The URL redirects from HTTPS to HTTP")
                    target = found
        except TimeoutError:
            raise _failed(target, f"Fetching the URL took longer than {self._args.timeout:g} seconds") from None
        raise _failed(first, f"The URL redirects more than {self._args.max_redirects} times")

    async def _get(self, url: httpx.URL) -> bytes | httpx.URL:
        """Fetch one URL. Return the body, or the URL it redirects to."""
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
                    raise _failed(url, f"The URL returned status {response.status_code}")
                return await self._read(response)
        except httpx.ConnectError as error:
            raise _failed(url, "Could not connect to the URL's host", error) from None
        except httpx.TransportError as error:
            raise _failed(url, "The connection was lost while fetching the URL", error) from None

    async def _check(self, url: httpx.URL) -> list[IPAddress]:
        """Return the IP addresses of the URL's host. Raises `RequestError` if the URL or any of them is not allowed."""
        if url.scheme not in _PORTS:
            raise _not_allowed(url, "Only http and https URLs are supported")
        if url.userinfo:
            raise _not_allowed(url, "URLs with a user name or password are not allowed")
        host, port = _name(url), _PORTS[url.scheme] if url.port is None else url.port
        if not host or not 0 < port < 65536:
            raise _not_allowed(url, "The URL is not valid")
        port_is_listed = (host, port) in self._hosts
        if self._hosts and not port_is_listed and (host, None) not in self._hosts:
            raise _not_allowed(url, "The URL's host is not in the list of allowed hosts")
        try:
            found = [ip_address(text) for text in await self._resolve(url.raw_host.decode())]
        except (OSError, UnicodeError) as error:
            raise _failed(url, "The URL's host could not be resolved", error) from None
        if not found:
            raise _failed(url, "The URL's host could not be resolved")
        outside = [ip for ip in found if not any(ip in network for network in self._networks)]
        # The message names no IP address, so that clients learn nothing of the internal network.
        if inside := [ip for ip in outside if not is_public(ip)]:
            raise _not_allowed(url, "The URL resolves to a non-public IP address", *inside)
        if outside and port not in _PORTS.values() and not port_is_listed:
            raise _not_allowed(url, "Only ports 80 and 443 are allowed")
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
        # Connections are not pooled: TLS is verified for one host name, and another may resolve to the same IP address.
        # Also, httpcore 1.0 leaks a pool slot if a request is cancelled while acquiring it.
        return httpx.AsyncHTTPTransport(verify=self._tls)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context(trust_env=False)


class Resolver:
    """Resolves host names on separate threads, so that slow lookups do not exhaust the event loop's thread pool."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_CONCURRENT, "resolver")

    async def __call__(self, host: str) -> list[str]:
        """Resolve a host name. IP addresses, in any notation the system accepts, resolve to themselves."""
        look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [str(address[0]) for *_, address in found]


def _parse(text: str, base: httpx.URL | None = None) -> httpx.URL:
    if len(text) > MAX_URL:
        raise _not_allowed(base, f"The URL is longer than {MAX_URL} characters")
    try:
        return base.join(text) if base else httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise _not_allowed(base, "The URL is not valid") from None


async def _connect(transport: httpx.AsyncBaseTransport, url: httpx.URL, checked: Sequence[IPAddress]) -> httpx.Response:
    *more, last = checked[:_MAX_TRIED]
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
    """Host name as written in certificates and in the allow list: without a trailing dot."""
    return url.raw_host.decode().removesuffix(".")


def _not_allowed(url: httpx.URL | None, message: str, *causes: object) -> RequestError:
    return _logged(url, RequestError("URL_NOT_ALLOWED", message), causes)


def _failed(url: httpx.URL, message: str, *causes: object) -> RequestError:
    return _logged(url, RequestError("DOWNLOAD_FAILED", message), causes)


def _logged(url: httpx.URL | None, refused: RequestError, causes: Sequence[object]) -> RequestError:
    logger.info("Not fetching %s: %s", _shown(url), ", ".join(map(str, (refused, *causes))))
    return refused


def _shown(url: httpx.URL | None) -> str:
    """A URL for the log, without its query and user info, which may be secret."""
    if url is None:
        return "a URL"
    path, _, _ = url.raw_path.partition(b"?")
    return f"{url.scheme}://{url.netloc.decode()}{path.decode()}"
