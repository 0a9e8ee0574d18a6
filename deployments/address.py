"""The host and port that the service listens on: reading them from the configuration, and reserving them."""

import errno
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from glob import iglob
from pathlib import Path
from threading import Thread
from typing import Any

from deployments.errors import ConfigError, InUseError, StartError

RESOLVE_S = 1.5
"""Seconds to wait for a host name to be resolved; without a network, the resolver would take much longer."""


@dataclass(frozen=True)
class Address:
    """A host and a port to listen on.

    Attributes:
        host: name or address of this machine; ``0.0.0.0`` for every IPv4 address, ``::`` for IPv6 as well.
        port: from 1 to 65535.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"port {self.port} of {self.host}"

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Address":
        """Return the address in a rendered Serve configuration, or Serve's default.

        Raises:
            ConfigError: the host or the port is malformed.
        """
        options = config.get("http_options", {})
        host, port = options.get("host", "0.0.0.0"), options.get("port", 8000)  # noqa: S104
        if not isinstance(host, str) or not host:
            raise ConfigError(f"http_options.host is {host!r}, which is not a host")
        # Serve also accepts digits in quotes.
        if not is_port(str(port)):
            raise ConfigError(f"http_options.port is {port!r}, which is not a port")
        return cls(host, int(port))

    def resolved(self) -> "Address":
        """Return the address with a numeric host: an IPv4 address if the name has one.

        Raises:
            StartError: the name cannot be resolved.
        """
        if not (found := sorted(addresses(self.host, self.port), key=lambda each: each[0] != socket.AF_INET)):
            raise StartError(f"the host {self.host!r} is unknown: set HOST to an address of this machine")
        return Address(str(found[0][1][0]), self.port)


def is_port(text: str) -> bool:
    """Whether `text` is the number of a port that a program can listen on, in ASCII digits."""
    return text.isascii() and text.isdigit() and 0 < int(text) < 2**16


def addresses(host: str, port: int, patience: float = RESOLVE_S) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """Return families and socket addresses of `host`; empty if it is not resolved within `patience` seconds."""
    found: list[tuple[socket.AddressFamily, tuple[Any, ...]]] = []

    def resolve() -> None:
        # A label of 64 letters raises ValueError, and a port larger than a C long OverflowError.
        with suppress(OSError, ValueError, OverflowError):
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend((info[0], info[4]) for info in infos)

    # getaddrinfo takes no timeout.
    thread = Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(patience)
    return found


@contextmanager
def reserved_port(host: str = "", port: int = 0) -> Iterator[int]:
    """Reserve `port`, or a free port for 0, so that the system gives it to no other process until the block ends.

    The socket that holds the port sets SO_REUSEADDR, and is bound but does not listen. A server that also sets
    SO_REUSEADDR, as nearly all do, can therefore listen on the port.

    Args:
        host: numeric address, or empty for every IPv4 address.

    Raises:
        OSError: the port cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, port))
        yield int(holder.getsockname()[1])


@contextmanager
def claimed(address: Address, until: float) -> Iterator[None]:
    """Reserve `address` until the block ends, against other programs and against other services of this kind.

    HAProxy can still listen on it; see `reserved_port`.

    Args:
        address: an address with a numeric host.
        until: time to give up waiting for a port in use, by `time.monotonic`.

    Raises:
        StartError: the service cannot listen on `address`.
    """
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(reserved_port(address.host, address.port))
                # Until HAProxy listens, a second service could also bind such a socket. A name in Linux's abstract
                # namespace, which is freed when the process exits, prevents that.
                held.enter_context(socket.socket(socket.AF_UNIX)).bind(f"\0{_claim(address)}")
                break
            except OSError as error:
                held.close()
                if error.errno != errno.EADDRINUSE or time.monotonic() >= until:
                    raise _refused(address, error) from error
                time.sleep(0.1)
        yield


def _claim(address: Address) -> str:
    return f"facegraph {address.host} {address.port}"


def _refused(address: Address, error: OSError) -> StartError:
    match error.errno:
        case errno.EADDRINUSE:
            return InUseError(f"{address} is in use by {_owner(address)}: stop it, or set PORT to another port")
        case errno.EACCES:
            return StartError(f"port {address.port} is reserved for root: set PORT to 1024 or above")
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return StartError(f"{address.host} is not an address of this machine: set HOST to one that is")
        case _:
            return StartError(f"cannot listen on {address}: {error.strerror}; set HOST and PORT")


def _owner(address: Address) -> str:
    """Describe the program that uses `address`, with its process if visible to this user."""
    with suppress(OSError):
        names = Path("/proc/net/unix").read_text("utf-8", "replace").splitlines()
        if claims := {line.split()[6] for line in names if line.endswith(f"@{_claim(address)}")}:
            return f"another facegraph service{_process(claims)}"
    listening = set()
    for table in ("tcp", "tcp6"):
        # Without IPv6 there is no tcp6.
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text("utf-8").splitlines()[1:]:
                fields = line.split()
                # 0A is LISTEN.
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == address.port:
                    listening.add(fields[9])
    return f"another program{_process(listening)}"


def _process(inodes: set[str]) -> str:
    """Return name and number of the process that has one of these sockets open, in brackets; empty if not visible."""
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for file in iglob("/proc/[0-9]*/fd/*"):
        # A process may exit, and a file may be closed, in the meantime.
        with suppress(OSError):
            if os.readlink(file) in sockets:
                process = Path(file).parents[1]
                name = (process / "comm").read_text("utf-8", "replace").strip()
                return f" ({name}, process {process.name})"
    return ""
