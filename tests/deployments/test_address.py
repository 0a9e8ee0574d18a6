"""The address that the service listens on."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments import address
from deployments.address import Address, claimed, reserved_port
from deployments.errors import ConfigError, StartError


@pytest.fixture
def free() -> Address:
    """A loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", probe.getsockname()[1])


@pytest.fixture
def listening(free: Address) -> Iterator[Address]:
    """One that another program listens on."""
    with socket.create_server((free.host, free.port)):
        yield free


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Address("0.0.0.0", 8000)),
        ({"host": "::1", "port": "9001"}, Address("::1", 9001)),
    ],
)
def test_it_stands_in_the_configuration(options: dict[str, Any], expected: Address) -> None:
    assert Address.of({"http_options": options}) == expected
    assert Address.of({"http_options": options}).resolved() == expected


@pytest.mark.parametrize("host", [None, "", [], True, 0])
def test_what_is_no_host_is_refused_by_place(host: object) -> None:
    with pytest.raises(ConfigError, match=r"http_options\.host is "):
        Address.of({"http_options": {"host": host}})


@pytest.mark.parametrize("port", [None, "", [], True, 0, -1, 80.5, 2**16, "²"])
def test_what_is_no_port_is_refused_by_place(port: object) -> None:
    with pytest.raises(ConfigError, match=r"http_options\.port is "):
        Address.of({"http_options": {"port": port}})


def test_a_name_becomes_the_address_that_haproxy_and_replicas_share(monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [(socket.AF_INET6, 1, 6, "", ("::1", 8000, 0, 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 8000))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: infos)
    assert Address("localhost", 8000).resolved() == Address("127.0.0.1", 8000)


def test_an_unknown_name_is_refused_even_by_a_name_service_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartError, match="the host 'no name' is unknown: set HOST"):
        Address("no name", 8000).resolved()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(60))
    assert address.addresses("silent.example", 8000, patience=0.01) == []


@pytest.mark.parametrize(("host", "port"), [("a\0b", 80), (64 * "a", 80), ("localhost", 10**20)])
def test_a_malformed_name_or_port_has_no_address_and_no_traceback(
    host: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    assert address.addresses(host, port) == []
    assert failed == []


def test_haproxy_listens_while_others_are_kept_off(free: Address) -> None:
    with claimed(free, 0):
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind((free.host, free.port))
        # This one sets SO_REUSEADDR, as HAProxy does.
        with socket.create_server((free.host, free.port)):
            refused = _refusal(free)
    assert f"{free} is taken by another facegraph service (" in refused
    assert f"process {os.getpid()}): end it, or set PORT" in refused
    with claimed(free, 0):
        pass


def _refusal(taken: Address) -> str:
    with pytest.raises(StartError) as caught, claimed(taken, 0):
        pass
    return str(caught.value)


def test_a_second_start_is_kept_off_before_haproxy_listens(free: Address) -> None:
    with claimed(free, 0):
        assert "is taken by another facegraph service" in _refusal(free)


@pytest.fixture(params=[b"python", b"caf\xc3"])
def named(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of this process: the kernel cuts names after 15 bytes, even within a letter."""
    name = Path("/proc/self/comm")
    before = name.read_bytes()
    name.write_bytes(request.param)
    yield request.param.decode(errors="replace")
    name.write_bytes(before)


def test_who_has_the_port_is_named(listening: Address, named: str) -> None:
    assert f"is taken by another program ({named}, process {os.getpid()})" in _refusal(listening)


def test_a_port_that_becomes_free_is_waited_for(free: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    server = socket.create_server((free.host, free.port))
    monkeypatch.setattr(time, "sleep", lambda _: server.close())
    with claimed(free, time.monotonic() + 60):
        pass


def test_an_address_of_another_machine_and_a_port_of_roots_are_refused_at_once(
    free: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    forever = time.monotonic() + 3600
    with (
        pytest.raises(StartError, match=r"192\.0\.2\.99 is not an address of this machine: set HOST"),
        claimed(Address("192.0.2.99", free.port), forever),
    ):
        pass

    def refuse(self: socket.socket, place: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with (
        pytest.raises(StartError, match="port 80 is reserved for root: set PORT"),
        claimed(Address("127.0.0.1", 80), forever),
    ):
        pass


def test_a_reserved_port_is_free_for_the_server_and_for_nobody_else() -> None:
    with reserved_port() as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            pass
