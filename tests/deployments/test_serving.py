"""Serving a configuration, up to the call of `serve run`, and announcing that the service is ready."""

import io
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import ray
import yaml
from fastapi import FastAPI, Response
from ray.serve import scripts
from rich.console import Console

from deployments import announcement, serving, transport
from deployments.address import Address
from deployments.errors import ConfigError, StartError
from models.card import Card
from models.pull import configured_in
from tests import app_server
from tests.default_configuration import CONFIG
from tests.waiting import TIMEOUT_S


@pytest.fixture
def calls(clean_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Any]]:
    """The models that were pulled with their mirror, then the arguments of `serve`; each with the proxy in use."""
    made: list[Any] = []

    def pull(cards: list[Card], store: object, mirror: Path | None, console: object) -> None:
        made.append(([card.name for card in cards], mirror, os.environ.get("HTTPS_PROXY")))

    monkeypatch.setattr(transport, "set_up", lambda: nullcontext(tmp_path))
    monkeypatch.setattr(serving, "ready", nullcontext)
    monkeypatch.setattr(serving, "guarded", nullcontext)
    monkeypatch.setattr(serving, "announce", lambda address, console: None)
    monkeypatch.setattr(serving, "pull", pull)
    monkeypatch.setattr(ray, "init", lambda namespace: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    monkeypatch.setattr(scripts, "cli", lambda arguments: made.append((arguments, os.environ.get("HTTPS_PROXY"))))
    before = signal.getsignal(signal.SIGTERM)
    yield made
    signal.signal(signal.SIGTERM, before)


def served_options(calls: list[Any]) -> Any:
    """Serve the default configuration; return the HTTP options that Serve was given."""
    serving.run(CONFIG)
    [[*_, path], _] = calls[-1]
    return yaml.safe_load(Path(path).read_text())["http_options"]


@pytest.mark.parametrize(("given", "mirror"), [("", None), ("/weights", Path("/weights"))])
def test_models_are_pulled_through_the_proxy_before_serving_without_it(
    calls: list[Any], tmp_path: Path, given: str, mirror: Path | None
) -> None:
    os.environ.update(PORT="8123", HTTPS_PROXY="http://127.0.0.1:3128", MODEL_MIRROR=given)
    assert served_options(calls)["port"] == 8123
    models = [card.name for card in configured_in(CONFIG)]
    assert calls == [
        (models, mirror, "http://127.0.0.1:3128"),
        (["run", "--address", "auto", str(tmp_path / "serve.yaml")], None),
    ]


def test_ray_that_does_not_start_is_one_sentence(calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def late(namespace: str) -> None:
        raise Exception("The node timed out.")  # noqa: TRY002

    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(StartError, match=r"^Ray did not start: The node timed out\.$"):
        serving.run(CONFIG)


def test_sigterm_interrupts_serving(calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "cli", lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        serving.run(CONFIG)


def test_invalid_configuration_is_refused_before_anything_runs(calls: list[Any], tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("application: []")
    with pytest.raises(ConfigError, match=rf"^{tmp_path / 'bad.yaml'} cannot be served: "):
        serving.run(tmp_path / "bad.yaml")
    assert calls == []


@pytest.mark.parametrize(
    ("haproxy", "host", "bind", "replicas"),
    [
        ("1", "0.0.0.0", "0.0.0.0", "0.0.0.0"),
        ("1", "::", "::", "::"),
        ("1", "192.0.2.2", "192.0.2.2", "127.0.0.1"),
        ("0", "192.0.2.2", None, "192.0.2.2"),
    ],
)
def test_only_haproxy_listens_on_the_given_host(
    calls: list[Any], haproxy: str, host: str, bind: str | None, replicas: str
) -> None:
    os.environ.update(HOST=host, RAY_ADDRESS="local", RAY_SERVE_ENABLE_HA_PROXY=haproxy)
    os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"] = str(transport.HAPROXY)
    assert (served_options(calls)["host"], os.environ.get("FACEGRAPH_BIND")) == (replicas, bind)


@pytest.mark.parametrize(("address", "refused"), [("local", True), ("head:6379", False)])
def test_only_the_services_own_cluster_must_have_enough_cores(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch, address: str, refused: bool
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(serving, "rays_cores", lambda: 0)
    with pytest.raises(StartError, match="but Ray has 0: serve") if refused else nullcontext():
        serving.run(CONFIG)
    assert (calls == []) is refused


@pytest.mark.parametrize(("listening", "shown"), [("0.0.0.0", "localhost"), ("127.0.0.1", "127.0.0.1")])
def test_the_url_is_printed_once_the_service_is_ready(
    monkeypatch: pytest.MonkeyPatch, listening: str, shown: str
) -> None:
    monkeypatch.setattr(announcement, "PERIOD_S", 0.01)
    app, statuses, printed = FastAPI(), iter([503, 503, 200]), io.StringIO()

    @app.get("/readyz")
    def readyz() -> Response:
        assert not printed.getvalue()
        return Response(status_code=next(statuses))

    with app_server.serving(app) as url:
        port = urlsplit(url).port
        assert port
        announcement.announce(Address(listening, port), Console(file=printed)).join(TIMEOUT_S)
    assert printed.getvalue().startswith("ready after 0 s: ")
    assert printed.getvalue().endswith(f"open http://{shown}:{port}/ui\n")
