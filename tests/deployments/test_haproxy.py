"""What stands for HAProxy's binary, and what it makes of the configuration that Ray Serve writes."""

import json
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig

from deployments import transport

ADDED = """frontend http_frontend
    option forwardfor
    http-request del-header x-request-id unless { req.hdr(x-request-id) -m reg ^[A-Za-z0-9_.-]{1,64}$ }
    timeout http-request 10s
"""
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
        assert found == before.replace("frontend http_frontend\n", ADDED).replace(lines[number + 1], starting)
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
