"""Checks of models, keys, Ray's token and a running service."""

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


def test_a_damaged_model_is_a_problem_and_a_missing_one_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = {"fr-liveness": ["x is damaged"], "mobilefacenet": ["x is missing"]}
    monkeypatch.setattr(Store, "problems", lambda self, network: damaged.get(network.name, []))
    Store(tmp_path).folder(card("fr-liveness")).mkdir()
    args = default_args().model_copy(update={"models_dir": tmp_path})
    found = {each.what: (each.level, each.command) for each in product.models(args)}
    assert found["the model mtcnn is whole"] == ("ok", "")
    assert found["the model fr-liveness: x is damaged"] == ("problem", "facegraph models pull fr-liveness")
    assert found["the model mobilefacenet is not pulled"] == ("warning", "facegraph models pull mobilefacenet")


def test_keys_must_exist_and_be_private_if_they_are_required(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"

    def levels() -> list[str]:
        return [product.keys(AccessArgs(keys_file=file, require_keys=each)).level for each in (True, False)]

    assert levels() == ["problem", "warning"]
    create(file, "door", ["read"])
    assert levels() == ["ok", "warning"]
    file.chmod(0o644)
    assert product.keys(AccessArgs(keys_file=file, require_keys=True)).command == f"chmod 600 {file}"
    file.write_text("{")
    assert levels() == ["problem", "warning"]


def test_rays_token_must_be_required_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    tmp_path.chmod(0o755)
    token = tmp_path / ".ray" / "auth_token"
    assert [product.ray_token(each).level for each in (None, token)] == ["ok", "ok"]
    token.parent.mkdir(mode=0o755)
    token.touch(0o644)
    assert product.ray_token(token).command == f"chmod 600 {token}"
    tmp_path.chmod(0o700)
    assert product.ray_token(token).level == "ok"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert product.ray_token(token).command == "unset RAY_AUTH_MODE"


@pytest.mark.parametrize(
    ("status", "damaged", "level", "what"),
    [
        ("healthy", 0, "ok", "healthy, version 1"),
        ("degraded", 0, "problem", "degraded: arcface, the gallery"),
        ("degraded", 2, "problem", "degraded: arcface, the gallery, unreadable collections (2)"),
    ],
)
def test_an_unhealthy_service_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, status: str, damaged: int, level: str, what: str
) -> None:
    body: dict[str, Any] = {"status": status, "version": "1", "models": {"mtcnn": True, "arcface": False}}
    body |= {"database_connected": False, "unreadable_collections": damaged}

    def client(url: str, key: str | None, **options: object) -> Client:
        return Client(url, key, transport=httpx.MockTransport(lambda request: httpx.Response(200, json=body)))

    monkeypatch.setattr(product, "Client", client)
    found, running = product.service("http://x", None)
    assert (found.level, found.what, running) == (level, f"the service at http://x is {what}", True)


def test_no_service_is_not_a_problem() -> None:
    found, running = product.service("http://127.0.0.1:1", None)
    assert (found.level, found.command, running) == ("ok", "facegraph serve", False)
