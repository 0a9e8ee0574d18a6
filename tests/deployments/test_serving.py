"""Serving a configuration, up to what Ray Serve does then."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve import scripts

from deployments import serving, transport
from deployments.errors import ConfigError, StartError
from graphs.settings import ROOT
from models.card import Card


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `serve` was told to do, and before it the models that were pulled."""
    done: list[Any] = []

    @contextmanager
    def set_up() -> Iterator[Path]:
        (tmp_path / "transport").mkdir()
        yield tmp_path / "transport"

    def pull(cards: list[Card], *_: object) -> None:
        done.append([card.name for card in cards])

    monkeypatch.setattr(transport, "set_up", set_up)
    monkeypatch.setattr(serving, "ready", nullcontext)
    monkeypatch.setattr(serving, "guarded", nullcontext)
    monkeypatch.setenv("FACEGRAPH_BIND", "to be forgotten")
    monkeypatch.delenv("FACEGRAPH_BIND")
    monkeypatch.setattr(serving, "pull", pull)
    monkeypatch.setattr(scripts, "cli", done.append)
    return done


def test_models_are_pulled_before_what_is_rendered_is_served(
    ran: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "8123")
    serving.run(ROOT / "configs" / "serve.yaml")
    served = tmp_path / "transport" / "serve.yaml"
    assert ran == [
        ["mtcnn", "mediapipe-full-range", "centerface", "fr-liveness", "mobilefacenet", "facenet"],
        ["run", str(served)],
    ]
    assert yaml.safe_load(served.read_text())["http_options"]["port"] == 8123


def test_what_cannot_be_served_is_one_sentence_and_nothing_runs(ran: list[Any], tmp_path: Path) -> None:
    (tmp_path / "serve.yaml").write_text("application: []")
    with pytest.raises(ConfigError) as caught:
        serving.run(tmp_path / "serve.yaml")
    assert str(caught.value).startswith(f"{tmp_path / 'serve.yaml'} cannot be served: ")
    assert ran == []


def test_the_models_may_come_through_a_proxy_and_the_service_has_none(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    found: list[str | None] = []
    monkeypatch.setattr(serving, "pull", lambda *_: found.append(os.environ.get("HTTPS_PROXY")))
    monkeypatch.setattr(scripts, "cli", lambda _: found.append(os.environ.get("HTTPS_PROXY")))
    serving.run(ROOT / "configs" / "serve.yaml")
    assert found == ["http://127.0.0.1:3128", None]


@pytest.mark.parametrize(
    ("host", "bind", "replicas"),
    [
        ("0.0.0.0", None, "0.0.0.0"),
        ("127.0.0.1", None, "127.0.0.1"),
        ("::", "::", "::"),
        ("::1", "::1", "127.0.0.1"),
        ("192.0.2.2", "192.0.2.2", "127.0.0.1"),
    ],
)
def test_haproxy_listens_where_it_is_asked_to_and_reaches_the_replicas(
    ran: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, bind: str | None, replicas: str
) -> None:
    monkeypatch.setenv("HOST", host)
    monkeypatch.setenv("FACEGRAPH_BIND", "192.0.2.9")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    monkeypatch.setenv("RAY_SERVE_HAPROXY_BINARY_PATH", str(transport.HAPROXY))
    serving.run(ROOT / "configs" / "serve.yaml")
    served = yaml.safe_load((tmp_path / "transport" / "serve.yaml").read_text())
    assert (os.environ.get("FACEGRAPH_BIND"), served["http_options"]["host"]) == (bind, replicas)


def test_serves_own_proxy_listens_where_it_is_asked_to(
    ran: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "192.0.2.2")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "0")
    serving.run(ROOT / "configs" / "serve.yaml")
    served = yaml.safe_load((tmp_path / "transport" / "serve.yaml").read_text())
    assert served["http_options"]["host"] == "192.0.2.2"


@pytest.mark.parametrize(("address", "refused"), [("local", True), ("head:6379", False)])
def test_a_cluster_of_its_own_has_to_have_room(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch, address: str, refused: bool
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(serving, "rays_cores", lambda: 0)
    with pytest.raises(StartError, match="Ray has 0 of the") if refused else nullcontext():
        serving.run(ROOT / "configs" / "serve.yaml")
    assert (ran == []) is refused


@pytest.mark.parametrize(("given", "mirror"), [("", None), ("/weights", Path("/weights"))])
@pytest.mark.usefixtures("ran")
def test_a_mirror_is_asked_where_one_is_named(monkeypatch: pytest.MonkeyPatch, given: str, mirror: Path | None) -> None:
    monkeypatch.setenv("MODEL_MIRROR", given)
    found: list[Path | None] = []
    monkeypatch.setattr(serving, "pull", lambda cards, store, mirror, console: found.append(mirror))
    serving.run(ROOT / "configs" / "serve.yaml")
    assert found == [mirror]
