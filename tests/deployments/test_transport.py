"""The switches that Ray Serve takes from the environment."""

import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from deployments import transport


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set is forgotten after the test."""
    for name in (*transport.SWITCHES, *transport.PORTS, *transport.FILES, "RAY_SERVE_HAPROXY_MAXCONN"):
        monkeypatch.setenv(name, "to be forgotten")
        monkeypatch.delenv(name)


def test_what_is_left_open_is_set() -> None:
    with transport.set_up() as folder:
        assert os.environ["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
        assert folder.is_dir()
        files = [Path(os.environ[name]) for name in transport.FILES]
        assert all(file == folder or file.parent == folder for file in files)
        ports = {int(os.environ[name]) for name in transport.PORTS}
        assert len(ports) == len(transport.PORTS)
        assert all(1024 <= port < 2**16 for port in ports)
    assert not folder.exists()


def test_a_temporary_folder_too_long_for_sockets_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with transport.set_up() as folder:
        assert folder.parent == Path("/tmp")


def test_what_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "0")
    monkeypatch.setenv("RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", "8500")
    with transport.set_up():
        assert os.environ["RAY_SERVE_ENABLE_HA_PROXY"] == "0"
        assert os.environ["RAY_SERVE_FALLBACK_PROXY_HTTP_PORT"] == "8500"


@pytest.mark.parametrize(
    ("name", "value", "own"),
    [
        ("RAY_SERVE_CONTROL_LOOP_INTERVAL_S", "0.5", "0.1"),
        ("MALLOC_MMAP_THRESHOLD_", str(32 * 2**20), "131072"),
        ("MALLOC_TRIM_THRESHOLD_", str(128 * 2**20), "131072"),
        ("RAY_worker_niceness", "0", "15"),
        ("RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD", "0", "1"),
        ("RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP", "0", "1"),
    ],
)
def test_a_switch_is_set_unless_the_environment_has_its_own(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, own: str
) -> None:
    with transport.set_up():
        assert os.environ[name] == value
    monkeypatch.setenv(name, own)
    with transport.set_up():
        assert os.environ[name] == own


@pytest.mark.parametrize(("files", "connections"), [(1024, 329), (2048, 739), (2**20, 4096), (64, 1)])
def test_haproxy_takes_no_more_connections_than_it_may_open_files(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    with transport.set_up():
        assert os.environ["RAY_SERVE_HAPROXY_MAXCONN"] == str(connections)


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"])
def test_proxies_are_forgotten_and_nothing_else(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    before = dict(os.environ)
    transport.forget_proxies()
    assert {*before} - {*os.environ} >= {name}
    assert all(each.lower() in transport.PROXIES for each in {*before} - {*os.environ})


TRACING = ("RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH", "RAY_SERVE_TRACING_SAMPLING_RATIO", "OTEL_SERVICE_NAME")


@pytest.fixture
def _no_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*transport.COLLECTORS, *TRACING, "OTEL_TRACES_SAMPLER_ARG"):
        monkeypatch.setenv(name, "to be forgotten")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_no_collector")
def test_nothing_is_traced_without_a_collector() -> None:
    with transport.set_up():
        assert not os.environ.keys() & set(TRACING)


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("name", transport.COLLECTORS)
def test_with_a_collector_requests_are_traced(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://localhost:4318")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    with transport.set_up():
        assert [os.environ[each] for each in TRACING] == ["deployments.tracing:exporter", "0.25", "facegraph"]


def test_the_c_library_takes_its_thresholds() -> None:
    """Above 32 MiB it would not believe the first, and whatever is below it is freed only above the second."""
    kept = int(transport.SWITCHES["MALLOC_MMAP_THRESHOLD_"])
    assert kept <= 32 * 2**20
    assert int(transport.SWITCHES["MALLOC_TRIM_THRESHOLD_"]) > kept


def test_without_haproxy_serves_own_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with transport.set_up():
        assert os.environ["RAY_SERVE_ENABLE_HA_PROXY"] == "0"


def test_a_photo_of_the_greatest_size_fits_into_a_message() -> None:
    from graphs.settings import LimitArgs

    assert int(transport.SWITCHES["RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH"]) > LimitArgs().max_body
