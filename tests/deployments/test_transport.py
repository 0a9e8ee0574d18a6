"""Environment variables that configure Ray Serve."""

import os
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.settings import LimitArgs
from deployments import transport

TRACING = ("RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH", "RAY_SERVE_TRACING_SAMPLING_RATIO", "OTEL_SERVICE_NAME")

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.mark.parametrize(
    "empty",
    [(), ("FACEGRAPH_HAPROXY", *transport.SWITCHES, *transport.PORTS, *transport.FILES)],
    ids=["unset", "empty"],
)
def test_unset_and_empty_variables_are_set(empty: tuple[str, ...]) -> None:
    os.environ.update(dict.fromkeys(empty, ""))
    with transport.set_up() as folder:
        assert {name: os.environ[name] for name in transport.SWITCHES} == transport.SWITCHES
        files = [Path(os.environ[name]) for name in transport.FILES]
        assert all(file == folder or file.parent == folder for file in files)
        ports = {int(os.environ[name]) for name in transport.PORTS}
        assert len(ports) == len(transport.PORTS)
        haproxy = Path(os.environ["FACEGRAPH_HAPROXY"])
        assert (haproxy.name, os.access(haproxy, os.X_OK)) == ("haproxy", True)
        assert not os.environ.keys() & set(TRACING)
    assert not folder.exists()


def test_set_variables_are_kept() -> None:
    others = ("FACEGRAPH_HAPROXY", "RAY_SERVE_HAPROXY_MAXCONN")
    own = dict.fromkeys((*transport.SWITCHES, *transport.PORTS, *transport.FILES, *others), "my own")
    os.environ.update(own)
    with transport.set_up():
        assert {name: os.environ[name] for name in own} == own


@pytest.mark.parametrize(("files", "connections"), [(1024, 329), (2048, 739), (2**20, 4096), (64, 1), (-1, 4096)])
def test_connections_fit_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch, files: int, connections: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    with transport.set_up():
        assert os.environ["RAY_SERVE_HAPROXY_MAXCONN"] == str(connections)


def test_only_variables_of_proxies_are_removed() -> None:
    proxies = {"http_proxy", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"}
    os.environ.update(dict.fromkeys({*proxies, "no_proxy"}, "http://proxy:3128"))
    before = {*os.environ}
    transport.forget_proxies()
    assert before - {*os.environ} == proxies


@pytest.mark.parametrize("name", transport.COLLECTORS)
@pytest.mark.parametrize(("given", "ratio"), [("0.25", "0.25"), ("", "1")])
def test_collector_switches_tracing_on(name: str, given: str, ratio: str) -> None:
    os.environ |= {name: "http://localhost:4318", "OTEL_TRACES_SAMPLER_ARG": given}
    with transport.set_up():
        assert [os.environ[each] for each in TRACING] == ["telemetry.tracing:exporter", ratio, "facegraph"]


@pytest.mark.parametrize("packaged", [True, False])
def test_binary_is_looked_up_on_path_if_the_package_has_none(
    packaged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "haproxy"
    binary.touch(0o755)
    package = SimpleNamespace(origin=str(tmp_path / "package" / "__init__.py")) if packaged else None
    monkeypatch.setattr(transport, "find_spec", lambda name: package)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert transport.haproxy_binary() == str(binary)
    binary.unlink()
    with transport.set_up():
        assert os.environ["RAY_SERVE_ENABLE_HA_PROXY"] == "0"
        assert os.environ["FORWARDED_HOPS"] == "0"


@pytest.mark.parametrize("name", ["FACEGRAPH_HAPROXY", "RAY_SERVE_HAPROXY_BINARY_PATH"])
def test_a_named_binary_is_used_where_no_other_one_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "haproxy_binary", lambda: None)
    os.environ[name] = "/opt/own/haproxy"
    with transport.set_up():
        assert (os.environ["RAY_SERVE_ENABLE_HA_PROXY"], os.environ[name]) == ("1", "/opt/own/haproxy")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAY_SERVE_ENABLE_HA_PROXY", "0"),
        ("RAY_SERVE_ENABLE_HA_PROXY", "false"),
        ("RAY_SERVE_HAPROXY_BINARY_PATH", "/opt/own/haproxy"),
    ],
)
def test_header_of_another_proxy_is_trusted_only_on_request(name: str, value: str) -> None:
    os.environ[name] = value
    with transport.set_up():
        assert os.environ["FORWARDED_HOPS"] == "0"
    os.environ["FORWARDED_HOPS"] = "1"
    with transport.set_up():
        assert os.environ["FORWARDED_HOPS"] == "1"


def test_message_between_replicas_has_room_for_the_largest_body() -> None:
    assert int(transport.SWITCHES["RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH"]) > LimitArgs().max_body
