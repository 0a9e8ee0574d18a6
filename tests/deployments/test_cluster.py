"""Choice of the Ray cluster."""

import os
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
    """Run a gRPC server with one method, which answers or fails with `code`; yield its address."""

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
def last_started(clean_environment: None, tmp_path: Path) -> Path:
    """The file in which `ray start` records its cluster. The environment has none of Ray's variables."""
    os.environ["RAY_TMPDIR"] = str(tmp_path)
    (tmp_path / "ray").mkdir()
    return tmp_path / "ray" / "ray_current_cluster"


@pytest.mark.parametrize("given", [{}, {"RAY_ADDRESS": ""}, {"RAY_ADDRESS": "local"}])
def test_service_starts_its_own_cluster_by_default(given: dict[str, str], last_started: Path) -> None:
    last_started.write_text("127.0.0.1:1")
    os.environ.update(given)
    assert has_own_cluster()
    assert os.environ["RAY_ADDRESS"] == "local"


@pytest.mark.parametrize("code", [None, grpc.StatusCode.UNAUTHENTICATED])
@pytest.mark.parametrize(("method", "form"), [(CLUSTER, "{}"), (CLIENT_SERVER, "ray://{}/namespace")])
def test_named_cluster_is_joined_with_or_without_a_token(method: str, form: str, code: grpc.StatusCode | None) -> None:
    os.environ["http_proxy"] = "http://127.0.0.1:1"
    with answering(method, code) as address:
        os.environ["RAY_ADDRESS"] = form.format(address)
        assert not has_own_cluster()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1", "127.0.0.1", "nonsense", "a b:1"])
def test_address_without_a_cluster_is_refused(address: str) -> None:
    os.environ["RAY_ADDRESS"] = address
    with pytest.raises(StartError, match=rf"^RAY_ADDRESS is '{address.replace('[', '.')}', but no Ray cluster"):
        has_own_cluster()


def test_other_grpc_server_is_not_a_cluster() -> None:
    with answering("/another/service") as address:
        os.environ["RAY_ADDRESS"] = address
        with pytest.raises(StartError):
            has_own_cluster()


@pytest.mark.parametrize("token", ["", "secret"])
def test_auto_names_the_cluster_that_ray_start_began(
    token: str, tmp_path: Path, last_started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    os.environ.update(RAY_AUTH_TOKEN=token, RAY_ADDRESS="auto")
    with answering(CLUSTER) as address:
        last_started.write_text(f"{address}\n")
        assert not has_own_cluster()
    # Without the name, Ray would also join the clusters of other services.
    assert os.environ["RAY_ADDRESS"] == address
    assert os.environ.get("RAY_AUTH_MODE") == ("token" if token else None)


def test_auto_without_such_a_cluster_is_refused() -> None:
    os.environ["RAY_ADDRESS"] = "auto"
    with pytest.raises(StartError, match=r"^RAY_ADDRESS is auto, but no cluster started with `ray start` runs on this"):
        has_own_cluster()
