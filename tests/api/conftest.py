"""Services with keys."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from access import keys
from access.keys import SCOPES, Scope, create
from access.settings import AccessArgs
from api.app import create_app
from tests.fakes import People, service


class KeyedService:
    """A service over `People` with its keys and audit log in `folder`. By default it requires keys."""

    def __init__(self, folder: Path, **args: Any) -> None:
        self.file, self.log = folder / "keys.json", folder / "audit.jsonl"
        files: dict[str, Any] = {"keys_file": self.file, "audit_log": str(self.log)}
        self.service = replace(
            service(People().stages()),
            access=AccessArgs(**{"require_keys": True, "forwarded_hops": 1, **files, **args}),
        )
        self.app = create_app(self.service)
        self.client: httpx.Client = TestClient(self.app)

    def key(self, *allowed: Scope, collections: Sequence[str] = ()) -> dict[str, str]:
        """The headers of a new key; with every scope unless some are named."""
        _, text = create(self.file, "tested", allowed or SCOPES, collections)
        return {"Authorization": f"Bearer {text}"}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        return self.client.request(method, path, headers=headers, **more)

    def entries(self) -> list[dict[str, Any]]:
        """The entries of the audit log."""
        text = self.log.read_text("ascii") if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


def filled(path: str, collection: str = "staff") -> str:
    """The path of a route with its parameters filled in."""
    names = {"{collection}": collection, "{subject:text}": "jane", "{face_id:text}": "jane", "{face_id}": "f1"}
    for name, value in names.items():
        path = path.replace(name, value)
    return path


@pytest.fixture
def make_keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., KeyedService]:
    """Make a service with the given access settings. It sees a new key at once."""
    monkeypatch.setattr(keys, "RELOAD_PERIOD_S", 0.0)
    return partial(KeyedService, tmp_path)


@pytest.fixture
def keyed(make_keyed: Callable[..., KeyedService]) -> KeyedService:
    """A service that requires keys."""
    return make_keyed()
