"""What the service would find."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from access.keys import create
from access.settings import AccessArgs
from facegraph.client import Client
from facegraph.doctor import product
from models.catalogue import card
from models.store import Store
from tests.default_configuration import default_args
from tests.fakes import pull


def test_models_are_missing_or_damaged_or_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "_weight_problems", lambda self, card: [])
    args = default_args().model_copy(update={"models_dir": pull(tmp_path, "mtcnn", "fr-liveness")})
    (Store(tmp_path).folder(card("fr-liveness")) / card("fr-liveness").exports[0]).write_bytes(b"damaged")
    found = {each.command.rpartition(" ")[2] or "whole": each for each in product.models(args)}
    assert (found["whole"].level, found["whole"].what) == ("ok", "the model mtcnn is whole")
    assert found["fr-liveness"].level == "problem"
    assert found["mobilefacenet"].level == "warning"
    assert found["mobilefacenet"].command == "facegraph models pull mobilefacenet"


def test_keys_are_nobody_elses_to_read(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    asked, free = AccessArgs(keys_file=file, require_keys=True), AccessArgs(keys_file=file, require_keys=False)
    assert [product.keys(asked).level, product.keys(free).level] == ["problem", "warning"]
    create(file, "door", ["read"])
    assert product.keys(asked).level == "ok"
    file.chmod(0o644)
    assert product.keys(asked).command == f"chmod 600 {file}"
    file.write_text("{")
    assert [product.keys(asked).level, product.keys(free).level] == ["problem", "warning"]


def test_rays_token_is_nobody_elses_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    tmp_path.chmod(0o755)
    token = tmp_path / ".ray" / "auth_token"
    assert product.ray_token(token).level == "ok"
    token.parent.mkdir(mode=0o755)
    token.touch(0o644)
    assert product.ray_token(token).command == f"chmod 600 {token}"
    tmp_path.chmod(0o700)
    assert product.ray_token(token).level == "ok"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert product.ray_token(token).command == "unset RAY_AUTH_MODE"


def test_without_a_home_there_is_no_token_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    assert product.ray_token(None).level == "ok"


@pytest.mark.parametrize(
    ("health", "level", "what"),
    [
        ({"status": "healthy"}, "ok", "the service at http://x is healthy, version 1"),
        ({"status": "degraded"}, "problem", "the service at http://x is degraded: arcface, the gallery"),
        (
            {"status": "degraded", "unreadable_collections": 2},
            "problem",
            "the service at http://x is degraded: arcface, the gallery, unreadable collections (2)",
        ),
    ],
)
def test_a_running_service_is_asked_how_it_is(
    monkeypatch: pytest.MonkeyPatch, health: dict[str, Any], level: str, what: str
) -> None:
    body = {**health, "version": "1", "models": {"mtcnn": True, "arcface": False}, "database_connected": False}

    def made(url: str, key: str | None, **options: object) -> Client:
        answer = httpx.Response(200, content=json.dumps(body))
        return Client(url, key, transport=httpx.MockTransport(lambda request: answer))

    monkeypatch.setattr(product, "Client", made)
    found, running = product.service("http://x", None)
    assert (found.level, found.what, running) == (level, what, True)


def test_no_service_is_no_problem() -> None:
    found, running = product.service("http://127.0.0.1:1", None)
    assert (found.level, found.command, running) == ("ok", "facegraph serve", False)
