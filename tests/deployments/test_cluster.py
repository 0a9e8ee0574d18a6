"""Which Ray cluster the service runs on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from deployments.cluster import CLIENT_SERVER, CLUSTER, has_own_cluster
from deployments.errors import StartError


@contextmanager
def answering(method: str, code: grpc.StatusCode | None = None) -> Iterator[str]:
    """A gRPC server with one method, which gives an answer or fails with `code`; yields its address."""

    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        if code is not None:
            context.abort(code, "no")
        return b""

    service, _, name = method[1:].partition("/")
    handler = grpc.method_handlers_generic_handler(service, {name: grpc.unary_unary_rpc_method_handler(answer)})
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_USE_TLS", "RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "to be forgotten")
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))


@pytest.mark.parametrize("given", [None, "", "local"])
def test_without_an_address_it_is_the_services_own_whatever_ran_here_before(
    given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    if given is not None:
        monkeypatch.setenv("RAY_ADDRESS", given)
    assert has_own_cluster()
    assert os.environ["RAY_ADDRESS"] == "local"


@pytest.mark.parametrize("code", [None, grpc.StatusCode.UNAUTHENTICATED])
def test_a_cluster_that_answers_is_joined_whether_it_wants_a_token_or_not(
    code: grpc.StatusCode | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with answering(CLUSTER, code) as address:
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert not has_own_cluster()
    with answering(CLIENT_SERVER, code) as address:
        monkeypatch.setenv("RAY_ADDRESS", f"ray://{address}/namespace")
        assert not has_own_cluster()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1", "127.0.0.1", "nonsense", "a b:1"])
def test_an_address_where_nothing_answers_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(StartError, match=rf"^RAY_ADDRESS is '{address.replace('[', '.')}', where no Ray cluster"):
        has_own_cluster()


def test_something_else_that_speaks_grpc_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering("/somebody/else") as address:
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(StartError):
            has_own_cluster()


@pytest.mark.parametrize("token", ["", "secret"])
def test_auto_is_the_cluster_that_ray_start_began(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    (tmp_path / "ray").mkdir()
    with answering(CLUSTER) as address:
        (tmp_path / "ray" / "ray_current_cluster").write_text(f"{address}\n")
        assert not has_own_cluster()
    # Named to Ray, which would look for others.
    assert os.environ["RAY_ADDRESS"] == address
    assert os.environ.get("RAY_AUTH_MODE") == ("token" if token else None)


def test_auto_never_joins_the_cluster_of_another_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with answering(CLUSTER) as address:
        command = [sys.executable, "-c", "input()", f"--gcs-address={address}"]
        with subprocess.Popen(command, stdin=subprocess.PIPE), pytest.raises(StartError) as caught:
            has_own_cluster()
    assert str(caught.value).startswith("RAY_ADDRESS is auto, and no cluster that `ray start` began runs on this")
