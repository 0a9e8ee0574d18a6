"""What stands for HAProxy's binary, and what it makes of the configuration that Ray Serve writes."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig

from deployments import transport
from load_tests.server import free_port

ADDED = """frontend http_frontend
    option forwardfor
    http-request del-header x-request-id unless { req.hdr(x-request-id) -m reg ^[A-Za-z0-9_.-]{1,64}$ }
    timeout http-request 8s
"""
RULES = (
    "    http-error ",
    "    http-request deny ",
    "    http-request return status 400 ",
    "    http-request return status 405 ",
    "    http-request wait-for-body ",
)
NAMES = ("FACEGRAPH_HAPROXY", "FORWARDED_HOPS")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set is forgotten after the test."""
    for name in (*NAMES, *transport.SWITCHES, *transport.PORTS, *transport.FILES):
        monkeypatch.setenv(name, "to be forgotten")
        monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration as Serve writes it, of an application with one replica."""
    cfg = HAProxyConfig(
        socket_path=str(tmp_path / "admin.sock"),
        server_state_base=str(tmp_path),
        server_state_file=str(tmp_path / "server-state"),
        metrics_socket_path=str(tmp_path / "metrics.sock"),
    )
    backend = BackendConfig("app", "/", servers=[ServerConfig("one", "127.0.0.1", 30000)], app_name="app")
    api = HAProxyApi(cfg, {"app": backend}, str(tmp_path / "haproxy.cfg"))
    api._generate_config_file_internal()
    return tmp_path / "haproxy.cfg"


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A binary that tells how it was started."""
    binary = tmp_path / "haproxy"
    binary.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    binary.chmod(0o755)
    return binary


def start(binary: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FACEGRAPH_HAPROXY": str(binary)}
    return subprocess.run([transport.HAPROXY, *words], env=environment, capture_output=True, text=True, check=False)


def test_the_configuration_gets_what_it_lacks_once_and_the_binary_every_word(config: Path, fake: Path) -> None:
    before = config.read_text()
    words = ["-db", "-f", str(config), "-sf", "12", "-x", "a path/admin.sock"]
    for _ in range(2):
        ended = start(fake, *words)
        assert (ended.returncode, ended.stdout.splitlines(), ended.stderr) == (7, words, "")
        found, lines = config.read_text(), before.splitlines()
        [number] = [number for number, line in enumerate(lines) if line == "backend default_backend"]
        starting = next(line for line in found.splitlines() if "The service is starting" in line)
        ours = [line for line in found.splitlines() if line.startswith(RULES)]
        errors = [line for line in ours if line.startswith("    http-error status 50")]
        rules = "".join(f"{line}\n" for line in ours if line not in errors)
        expected = before.replace("frontend http_frontend\n", ADDED + rules)
        for old, new in zip(re.findall("    errorfile .*", before), errors, strict=True):
            expected = expected.replace(old, new)
        assert (len(ours), found) == (9, expected.replace(lines[number + 1], starting))
    assert before.count("frontend http_frontend\n") == 1
    assert not (config.parent / "haproxy.cfg.more").exists()


def test_before_an_ingress_is_known_clients_are_asked_to_come_again(config: Path, fake: Path) -> None:
    assert "return status 404" in config.read_text()
    start(fake, "-f", str(config))
    found = config.read_text()
    assert "return status 404" not in found
    [answer] = re.findall(r"return status 503 content-type application/json hdr Retry-After 1 string '(.*)'", found)
    assert json.loads(answer)["error"]["code"] == "UNAVAILABLE"


def test_a_configuration_that_serve_has_written_anew_gets_it_again(config: Path, fake: Path) -> None:
    before = config.read_text()
    start(fake, "-f", str(config))
    config.write_text(before)
    start(fake, "-f", str(config))
    assert ADDED in config.read_text()


def test_a_configuration_that_it_does_not_know_is_not_served(config: Path, fake: Path) -> None:
    config.write_text("frontend another\n")
    ended = start(fake, "-f", str(config))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "has no http_frontend" in ended.stderr
    assert config.read_text() == "frontend another\n"


def test_without_a_configuration_it_is_the_binary(fake: Path) -> None:
    ended = start(fake, "-v")
    assert (ended.returncode, ended.stdout) == (7, "-v\n")


def test_haproxy_takes_the_configuration(config: Path) -> None:
    with transport.set_up():
        binary = Path(os.environ["FACEGRAPH_HAPROXY"])
    ended = start(binary, "-c", "-f", str(config))
    assert ended.returncode == 0, ended.stderr
    assert ADDED in config.read_text()


@pytest.fixture
def proxy(config: Path) -> Iterator[int]:
    """The port of HAProxy itself, with the configuration and nobody behind it."""
    with transport.set_up():
        environment = {**os.environ, "FACEGRAPH_HAPROXY": str(transport.haproxy_binary())}
    port = free_port()
    written = config.read_text().replace("server one 127.0.0.1:30000", f"server one 127.0.0.1:{free_port()}")
    for bind in set(re.findall(r"bind (.*)", written)):
        own = (
            f"127.0.0.1:{port}" if f"frontend http_frontend\n    bind {bind}" in written else f"127.0.0.1:{free_port()}"
        )
        written = written.replace(f"bind {bind}\n", f"bind {own}\n")
    config.write_text(written)
    # A quarter of a second is time enough on loopback.
    start(Path("/bin/true"), "-f", str(config))
    config.write_text(config.read_text().replace("time 8s", "time 250ms"))
    with subprocess.Popen(
        [transport.HAPROXY, "-db", "-f", str(config)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        try:
            while running.poll() is None:
                with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.01)
            yield port
        finally:
            running.terminate()


def asked(port: int, request: str, line: str = "POST /match") -> tuple[int, str]:
    """The status and the code that HAProxy answers, all in the envelope."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{line} HTTP/1.1\r\nHost: a\r\n{request}".encode())
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.headers["content-type"] == "application/json"
        return answer.status, json.loads(answer.read())["error"]["code"]


@pytest.mark.parametrize("size", [2**26 + 1, 2**32 + 1, 10**15])
def test_a_body_that_no_replica_could_take_is_refused_by_its_declared_length(proxy: int, size: int) -> None:
    assert asked(proxy, f"Content-Length: {size}\r\n\r\n") == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize(
    ("line", "header", "answer"),
    [
        ("BREW /match", "", (405, "METHOD_NOT_ALLOWED")),
        ("get /match", "", (405, "METHOD_NOT_ALLOWED")),
        ("GET *", "", (400, "INVALID_REQUEST")),
        ("GET /match", "Accept: a\x01b\r\n", (400, "INVALID_REQUEST")),
        ("GET /match", "Accept: \x7f\r\n", (400, "INVALID_REQUEST")),
        ("GET /match", "Accept: t\u00e4b\tb\r\n", (503, "UNAVAILABLE")),
    ],
)
def test_what_the_ingress_could_not_read_is_refused_before_it(
    proxy: int, line: str, header: str, answer: tuple[int, str]
) -> None:
    assert asked(proxy, f"{header}\r\n", line) == answer


def test_a_body_that_does_not_come_takes_no_place(proxy: int) -> None:
    assert asked(proxy, "Content-Length: 100\r\n\r\nbegun") == (408, "REQUEST_TIMEOUT")


def test_without_an_ingress_that_answers_it_is_a_503_that_says_so(proxy: int) -> None:
    assert asked(proxy, "Content-Length: 1\r\n\r\n1") == (503, "UNAVAILABLE")


def test_serve_is_told_to_start_it_and_it_what_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # The second time as from within another service's environment.
    for _ in range(2):
        with transport.set_up():
            assert os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"] == str(transport.HAPROXY)
            real = Path(os.environ["FACEGRAPH_HAPROXY"])
            assert (real.name, os.access(real, os.X_OK)) == ("haproxy", True)
            assert os.environ["FORWARDED_HOPS"] == "1"
    assert os.access(transport.HAPROXY, os.X_OK)
    monkeypatch.setenv("FACEGRAPH_HAPROXY", "/opt/own/haproxy")
    with transport.set_up():
        assert os.environ["FACEGRAPH_HAPROXY"] == "/opt/own/haproxy"


def test_a_package_without_a_binary_for_this_machine_is_passed_over(
    tmp_path: Path, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = SimpleNamespace(origin=str(tmp_path / "package" / "__init__.py"))
    monkeypatch.setattr(transport, "find_spec", lambda name: package)
    monkeypatch.setenv("PATH", str(fake.parent))
    with transport.set_up():
        assert os.environ["FACEGRAPH_HAPROXY"] == str(fake)


@pytest.mark.parametrize(
    ("name", "value"), [("RAY_SERVE_ENABLE_HA_PROXY", "0"), ("RAY_SERVE_HAPROXY_BINARY_PATH", "/opt/own/haproxy")]
)
def test_another_proxy_is_not_believed_to_name_callers(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with transport.set_up():
        assert os.environ["FORWARDED_HOPS"] == "0"
        assert os.environ[name] == value
    monkeypatch.setenv("FORWARDED_HOPS", "1")
    with transport.set_up():
        assert os.environ["FORWARDED_HOPS"] == "1"
