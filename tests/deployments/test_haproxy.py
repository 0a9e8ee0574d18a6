"""HAProxy behind haproxy.sh and haproxy.sed, which change the configuration that Ray Serve writes."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from difflib import ndiff
from http.client import HTTPResponse
from pathlib import Path

import pytest
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions

from api.app import FORMS
from api.contracts.rekognition.aws_errors import error_answer
from api.errors import ErrorAnswer
from deployments import transport
from deployments.address import reserved_port
from project.request_error import RequestError
from tests.waiting import until

ADDED = "\n    option forwardfor\n"


def write_config(folder: Path) -> Path:
    """Let Serve write the configuration of an application with one replica."""
    cfg = HAProxyConfig(
        http_options=HTTPOptions(host="0.0.0.0"),
        socket_path=str(folder / "admin.sock"),
        server_state_base=str(folder),
        server_state_file=str(folder / "server-state"),
        metrics_socket_path=str(folder / "metrics.sock"),
    )
    backend = BackendConfig("app", "/", servers=[ServerConfig("one", "127.0.0.1", 30000)], app_name="app")
    HAProxyApi(cfg, {"app": backend}, str(folder / "haproxy.cfg"))._generate_config_file_internal()
    return folder / "haproxy.cfg"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def fake_binary(tmp_path: Path) -> Path:
    """A binary that prints its arguments and exits with 7."""
    binary = tmp_path / "haproxy"
    binary.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    binary.chmod(0o755)
    return binary


def start(binary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FACEGRAPH_HAPROXY": str(binary)}
    return subprocess.run([transport.HAPROXY, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_configuration_is_changed_once_and_arguments_are_passed_on(config: Path, fake_binary: Path) -> None:
    before = config.read_text().splitlines()
    arguments = ["-db", "-f", str(config), "-sf", "12", "-x", "a path/admin.sock"]
    results = set()
    for _ in range(2):
        ended = start(fake_binary, *arguments)
        assert (ended.returncode, ended.stdout.splitlines(), ended.stderr) == (7, arguments, "")
        results.add(config.read_text())
    [changed] = results
    removed = [line[2:] for line in ndiff(before, changed.splitlines()) if line.startswith("- ")]
    assert [line.split()[0] for line in removed] == ["errorfile"] * 3 + ["bind"] * 2 + ["http-request", "bind"]
    # Only the frontend listens.
    assert re.findall(r"^ *bind (.*)$", changed, re.MULTILINE) == ['"${FACEGRAPH_BIND-*}:8000"']
    assert list(config.parent.glob("*.more")) == []
    # If there is no ingress, HAProxy's own answers ask the client to retry.
    assert "backend default_backend\n    http-request return status 503 default-errorfiles\n" in changed
    answers = re.findall(r"http-error status (50.) .* hdr Retry-After 1 string '(.*)'", changed)
    codes = {status: json.loads(answer)["error"]["code"] for status, answer in answers}
    assert codes == dict.fromkeys(("502", "503", "504"), "UNAVAILABLE")


def test_unknown_configuration_is_not_served(config: Path, fake_binary: Path) -> None:
    config.write_text("frontend another\n")
    ended = start(fake_binary, "-f", str(config))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "has no http_frontend" in ended.stderr
    assert config.read_text() == "frontend another\n"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a HAProxy without an ingress behind it, which waits half a second for a head and for a body."""
    config, binary = write_config(tmp_path_factory.mktemp("proxy")), transport.haproxy_binary()
    assert binary is not None
    with reserved_port() as port, reserved_port() as ingress:
        written = config.read_text().replace("127.0.0.1:30000", f"127.0.0.1:{ingress}")
        config.write_text(written.replace("bind *:8000", f"bind *:{port}"))
        start(Path("/bin/true"), "-f", str(config))
        assert ADDED in config.read_text()
        config.write_text(config.read_text().replace(" 8s\n", " 500ms\n"))
        environment = {**os.environ, "FACEGRAPH_HAPROXY": binary, "FACEGRAPH_BIND": "127.0.0.1"}
        command, quiet = [str(transport.HAPROXY), "-db", "-f", str(config)], subprocess.DEVNULL

        def listens() -> bool:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                return True
            return False

        with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
            try:
                until(listens)
                yield port
            finally:
                process.terminate()


def send(port: int, request: bytes) -> HTTPResponse:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer


def error(port: int, request: str) -> tuple[int, str]:
    """Status and error code of the answer, which is in the envelope of all errors."""
    answer = send(port, request.encode("latin-1"))
    assert answer.headers["content-type"] == "application/json"
    body = json.loads(answer.read())
    assert body.keys() == {"error", "request_id"}
    return answer.status, body["error"]["code"]


HOST = " HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("request_line", "headers", "expected"),
    [
        *(("POST /", f"Content-Length: {size}\r\n", (413, "BODY_TOO_LARGE")) for size in (2**26 + 1, 2**32 + 1)),
        # A well-formed request reaches the backend, which has no ingress here.
        ("GET http://a/match", "", (503, "UNAVAILABLE")),
        ("GET /match", f"Accept: {'b' * 14_000}\r\n", (503, "UNAVAILABLE")),
    ],
)
def test_only_a_body_above_the_limit_is_refused(
    proxy: int, request_line: str, headers: str, expected: tuple[int, str]
) -> None:
    assert error(proxy, f"{request_line}{HOST}{headers}\r\n") == expected


@pytest.mark.parametrize(
    ("target", "form"),
    [*((f"{first}{HOST}", form) for first, form in FORMS.items()), (f"{HOST}X-Amz-Target: a\r\n", error_answer)],
)
def test_refusal_of_a_large_body_has_the_format_of_the_contract(proxy: int, target: str, form: ErrorAnswer) -> None:
    answer = send(proxy, f"POST /{target}Content-Length: {2**26 + 1}\r\n\r\n".encode())
    message = "The request body exceeds the limit of 67108864 bytes"
    status, body = form(RequestError("BODY_TOO_LARGE", message), "")
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert json.loads(answer.read()) == body


def test_slow_request_times_out_and_a_connection_without_one_is_closed(proxy: int) -> None:
    assert send(proxy, f"GET /health{HOST}".encode()).status == 408
    assert error(proxy, f"POST /match{HOST}Content-Length: 100\r\n\r\nbegun") == (408, "REQUEST_TIMEOUT")
    with socket.create_connection(("127.0.0.1", proxy), timeout=5) as connection:
        assert connection.recv(1) == b""
