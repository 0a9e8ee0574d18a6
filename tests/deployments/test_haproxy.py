"""What stands for HAProxy's binary, and what it makes of the configuration that Ray Serve writes."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from difflib import ndiff
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions

from deployments import transport
from deployments.address import reserved_port

ANCHORS = {
    "the frontend, whose host is a star": r"^frontend http_frontend\n    bind \*:8000$",
    "the frontend of figures": r"^frontend prometheus\n    bind :\d+$",
    "the page of figures": r"^listen stats\n  bind \*:\d+$",
    "the page for 502": r"^    errorfile 502 ",
    "the page for 503": r"^    errorfile 503 ",
    "the page for 504": r"^    errorfile 504 ",
    "the answer without an application": r"^backend default_backend\n    http-request return status 404 .*$",
}
"""Lines of Serve's configuration that haproxy.sed changes, or adds to."""
ADDED = "\n    option forwardfor\n"
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
        http_options=HTTPOptions(host="0.0.0.0"),
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


@pytest.mark.parametrize("anchor", ANCHORS.values(), ids=ANCHORS)
def test_serve_writes_what_is_looked_for(config: Path, anchor: str) -> None:
    assert len(re.findall(anchor, config.read_text(), re.MULTILINE)) == 1


def test_the_configuration_is_changed_in_these_lines_once_and_the_binary_gets_every_word(
    config: Path, fake: Path
) -> None:
    before = config.read_text().splitlines()
    words = ["-db", "-f", str(config), "-sf", "12", "-x", "a path/admin.sock"]
    changed = set()
    for _ in range(2):
        ended = start(fake, *words)
        assert (ended.returncode, ended.stdout.splitlines(), ended.stderr) == (7, words, "")
        changed.add(config.read_text())
    [found] = changed
    difference = list(ndiff(before, found.splitlines()))
    gone = [line[2:] for line in difference if line.startswith("- ")]
    assert [line.split()[0] for line in gone] == ["errorfile"] * 3 + ["bind"] * 2 + ["http-request", "bind"]
    # Only the frontend listens.
    assert re.findall(r"^ *bind (.*)$", found, re.MULTILINE) == ['"${FACEGRAPH_BIND-*}:8000"']
    assert [path.name for path in config.parent.glob("*.more")] == []


def test_before_an_ingress_is_known_clients_are_asked_to_come_again(config: Path, fake: Path) -> None:
    start(fake, "-f", str(config))
    found = config.read_text()
    assert "backend default_backend\n    http-request return status 503 default-errorfiles\n" in found
    answers = re.findall(r"http-error status (50.) .* hdr Retry-After 1 string '(.*)'", found)
    assert {status: json.loads(answer)["error"]["code"] for status, answer in answers} == dict.fromkeys(
        ("502", "503", "504"), "UNAVAILABLE"
    )


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


@contextmanager
def running(config: Path, patience: str = "8s") -> Iterator[int]:
    """HAProxy itself, with the configuration and nobody behind it; yields its port."""
    with ExitStack() as held:
        port, behind = (held.enter_context(reserved_port()) for _ in range(2))
        held.enter_context(transport.set_up())
        written = config.read_text().replace("127.0.0.1:30000", f"127.0.0.1:{behind}")
        config.write_text(written.replace("bind *:8000", f"bind *:{port}"))
        start(Path("/bin/true"), "-f", str(config))
        config.write_text(config.read_text().replace(" 8s\n", f" {patience}\n"))
        process = held.enter_context(
            subprocess.Popen(
                [transport.HAPROXY, "-db", "-f", str(config)],
                env={**os.environ, "FACEGRAPH_BIND": "127.0.0.1"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        held.callback(process.terminate)
        last = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < last:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)
        yield port


@pytest.fixture
def proxy(config: Path) -> Iterator[int]:
    with running(config) as port:
        yield port


@pytest.fixture
def hasty_proxy(config: Path) -> Iterator[int]:
    """One that waits for a head and a body for only a quarter of a second."""
    with running(config, "250ms") as port:
        yield port


def answered(port: int, *pieces: bytes) -> HTTPResponse:
    """HAProxy's answer to what comes in such pieces."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer


def told(port: int, *pieces: bytes) -> tuple[int, str]:
    """The status and the code of an answer in the envelope of all errors."""
    answer = answered(port, *pieces)
    assert answer.headers["content-type"] == "application/json"
    body = json.loads(answer.read())
    assert body.keys() == {"error", "request_id"}
    return answer.status, body["error"]["code"]


def asked(port: int, request: str, line: str = "POST /match") -> tuple[int, str]:
    return told(port, f"{line} HTTP/1.1\r\nHost: a\r\n{request}".encode())


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


HEAD = b"GET /health HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /health\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"a name: b\r\n\r\n",
        HEAD + b"a: \x00\r\n\r\n",
        HEAD + b"a: b\r\n" * 500 + b"\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        *(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body
            for body in (
                b"zz\r\nab\r\n0\r\n\r\n",
                b"-2\r\nab\r\n0\r\n\r\n",
                b"2x\r\nab\r\n0\r\n\r\n",
                b"2\nab\n0\n\n",
                b"2\r\nab0\r\n\r\n",
                b"2\r\nab\r\nzz\r\n0\r\n\r\n",
                b"fffffffffffffffff\r\nab\r\n0\r\n\r\n",
            )
        ),
        HEAD + b"a: " + b"b" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b"\r\n\r\n",
    ],
)
def test_what_haproxy_cannot_read_gets_a_page_of_its_own(proxy: int, sent: bytes) -> None:
    assert answered(proxy, sent).status == 400


@pytest.mark.parametrize("sent", [b"\n\n\n", b"GET /hea", HEAD])
def test_a_head_that_does_not_come_is_waited_for_so_long(hasty_proxy: int, sent: bytes) -> None:
    assert answered(hasty_proxy, sent).status == 408


def test_a_connection_on_which_nothing_comes_is_closed(hasty_proxy: int) -> None:
    with socket.create_connection(("127.0.0.1", hasty_proxy), timeout=5) as connection:
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"\r\n",
        b"\r\n" + HEAD + b"\r\n",
        HEAD + b"a: " + b"b" * 14_000 + b"\r\n\r\n",
        HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        HEAD + b"Transfer-Encoding: Chunked\r\n\r\n0A; x=y\r\n0123456789\r\n2\r\n\r\n\r\n0\r\nTrailer: a\r\n\r\n",
        HEAD + b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"GET http://a/health HTTP/1.0\r\nHost: a\r\n\r\n",
    ],
)
def test_whatever_is_http_comes_through(proxy: int, sent: bytes) -> None:
    assert told(proxy, sent) == (503, "UNAVAILABLE")


def test_what_comes_in_pieces_is_put_together(proxy: int) -> None:
    assert told(proxy, HEAD[:9], HEAD[9:-1], b"\n\r", b"\n") == (503, "UNAVAILABLE")


def test_a_body_that_does_not_come_takes_no_place(hasty_proxy: int) -> None:
    assert asked(hasty_proxy, "Content-Length: 100\r\n\r\nbegun") == (408, "REQUEST_TIMEOUT")


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
