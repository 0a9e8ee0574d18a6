"""The address that the service listens on."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.address import Address, addresses, claimed
from deployments.errors import ConfigError, StartError
from tests.deployments.conftest import refusal


@pytest.fixture
def free(lone_port: int) -> Address:
    """A loopback address with a free port, which no other process gets."""
    return Address("127.0.0.1", lone_port)


@pytest.mark.parametrize(
    ("options", "expected"), [({}, Address("0.0.0.0", 8000)), ({"host": "::1", "port": "9001"}, Address("::1", 9001))]
)
def test_address_is_read_from_the_configuration(options: dict[str, Any], expected: Address) -> None:
    assert Address.of({"http_options": options}) == Address.of({"http_options": options}).resolved() == expected


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("host", value) for value in (None, "", True, 0)),
        *(("port", value) for value in (None, "", True, 0, -1, 80.5, 2**16, "²")),
    ],
)
def test_malformed_option_is_refused_by_name(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"http_options\.{option} is "):
        Address.of({"http_options": {option: value}})


def test_name_resolves_to_ipv4_first(monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [(socket.AF_INET6, 1, 6, "", ("::1", 8000, 0, 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 8000))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: infos)
    assert Address("localhost", 8000).resolved() == Address("127.0.0.1", 8000)


def test_resolver_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [()] * (not released.wait(60)))
    assert addresses("silent.example", 8000, patience=0.01) == []
    released.set()


@pytest.mark.parametrize(("host", "port"), [("no name", 80), ("a\0b", 80), (64 * "a", 80), ("localhost", 10**20)])
def test_unknown_host_is_refused_without_a_traceback(host: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    with pytest.raises(StartError, match=r"the host .* is unknown: set HOST"):
        Address(host, port).resolved()
    assert failed == []


def test_claimed_address_is_free_only_for_haproxy(free: Address) -> None:
    taken = f"{free} is in use by another facegraph service ("
    with claimed(free, 0):
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind((free.host, free.port))
        assert refusal(claimed(free, 0)).startswith(taken)
        # This server sets SO_REUSEADDR, as HAProxy does.
        with socket.create_server((free.host, free.port)):
            refused = refusal(claimed(free, 0))
    assert refused.startswith(taken)
    assert f"process {os.getpid()}): stop it, or set PORT" in refused
    with claimed(free, 0):
        pass


@pytest.fixture(params=[b"python", b"caf\xc3"])
def process_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """Sets the name of this process. The kernel cuts names after 15 bytes, even within a letter."""
    name = Path("/proc/self/comm")
    before = name.read_bytes()
    name.write_bytes(request.param)
    yield request.param.decode(errors="replace")
    name.write_bytes(before)


def test_program_that_holds_the_port_is_named(free: Address, process_name: str) -> None:
    with socket.create_server((free.host, free.port)):
        assert f"is in use by another program ({process_name}, process {os.getpid()})" in refusal(claimed(free, 0))


def test_claim_waits_until_the_port_is_free(free: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    server = socket.create_server((free.host, free.port))
    monkeypatch.setattr(time, "sleep", lambda _: server.close())
    with claimed(free, time.monotonic() + 60):
        pass


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "port 80 is reserved for root: set PORT"),
        (OSError(99, "Cannot assign requested address"), "host is not an address of this machine: set HOST"),
        (OSError(5, "Input/output error"), "cannot listen on port 80 of host: Input/output error"),
    ],
)
def test_other_errors_are_refused_at_once(error: OSError, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, place: object) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(StartError, match=f"^{message}"), claimed(Address("host", 80), time.monotonic() + 3600):
        pass
