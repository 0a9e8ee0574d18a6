"""Checks of models, keys, Ray's token, a running service, and whether one can start (see tests/deployments)."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from access.keys import create
from access.settings import AccessArgs
from deployments import preflight
from deployments.address import Address, claimed
from deployments.errors import StartError
from facegraph.client import Client
from facegraph.doctor import product, start
from gallery.location import Location
from gallery.storage.disk import reserve
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
    assert found["all files of the model mtcnn are intact"] == ("ok", "")
    assert found["the model fr-liveness: x is damaged"] == ("problem", Store(tmp_path).pull_command("fr-liveness"))
    assert found["the model mobilefacenet is not pulled"] == ("warning", Store(tmp_path).pull_command("mobilefacenet"))


def test_keys_must_exist_and_be_private_if_they_are_required(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"

    def levels() -> list[str]:
        return [product.keys(AccessArgs(keys_file=file, require_keys=each)).level for each in (True, False)]

    assert levels() == ["problem", "warning"]
    create(file, "door", ["read"])
    assert levels() == ["ok", "warning"]
    for mode in (0o604, 0o640):
        file.chmod(mode)
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


def test_an_unhealthy_service_is_a_problem_and_a_missing_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    body: dict[str, Any] = {"version": "1", "models": {"mtcnn": True, "arcface": False}, "database_connected": False}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    with monkeypatch.context() as patch:
        patch.setattr(product, "Client", lambda url, key, **options: Client(url, key, transport=transport))
        for status, damaged, level, what in (
            ("healthy", 0, "ok", "healthy, version 1"),
            ("degraded", 0, "problem", "degraded: arcface, the gallery"),
            ("degraded", 2, "problem", "degraded: arcface, the gallery, unreadable collections (2)"),
        ):
            body |= {"status": status, "unreadable_collections": damaged}
            found, running = product.service("http://x", None)
            assert (found.level, found.what, running) == (level, f"the service at http://x is {what}", True)
    found, running = product.service("http://127.0.0.1:1", None)
    assert (found.level, found.command, running) == ("ok", "facegraph serve", False)


@pytest.mark.parametrize("name", ["open_files", "temporary_folder", "object_store", "token"])
def test_a_failed_check_is_a_problem_with_its_message(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse() -> None:
        raise StartError("one sentence")

    monkeypatch.setenv("RAY_ADDRESS", "local")
    for variable in ("RAY_TMPDIR", "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(variable, "")
    monkeypatch.setattr(preflight, name, refuse)
    found = [(each.level, each.what) for each in start.machine() if each.level != "ok"]
    assert found == [("problem", "one sentence")]


def test_a_cluster_must_respond_and_is_not_checked_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert [(each.level, each.command) for each in start.machine()] == [("problem", "unset RAY_ADDRESS")]
    monkeypatch.setattr(start, "has_own_cluster", lambda: False)
    assert [each.level for each in start.machine()] == ["ok"]


def test_an_address_must_be_free_or_belong_to_the_running_service(lone_port: int) -> None:
    address = Address("127.0.0.1", lone_port)
    with claimed(address, 0):
        assert start.address(address, running=False).what.startswith(
            f"{address} is in use by another facegraph service"
        )
        assert start.address(address, running=True).level == "ok"
    assert start.address(address, running=False).level == "ok"
    assert start.address(Address("192.0.2.99", 1024), running=True).level == "problem"


def test_a_gallery_must_be_writable_and_free_or_belong_to_the_running_service(tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    assert start.gallery(Location(str(folder)), running=False).level == "ok"
    assert not folder.exists()
    with reserve(folder, 0):
        assert start.gallery(Location(str(folder)), running=True).level == "ok"
        assert start.gallery(Location(str(folder)), running=False).what.startswith(
            "another process serves the gallery at"
        )
    assert start.gallery(Location(str(folder)), running=False).level == "ok"
    (tmp_path / "file").touch()
    for place in ("file", "file/gallery"):
        assert start.gallery(Location(str(tmp_path / place)), running=True).level == "problem"
