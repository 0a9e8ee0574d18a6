"""A service that requires keys, and `Access` alone."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from access.audit import Audit
from access.keys import SCOPES, Keys, Scope, create
from access.rates import Rates
from access.settings import AccessArgs
from api import errors
from api.access import Access
from api.app import FORMS, create_app
from api.limits import RequestBounds
from imaging.refused import Refused
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
        self.client = TestClient(create_app(self.service))

    def key(self, *allowed: Scope, collections: Sequence[str] = ()) -> dict[str, str]:
        """The headers of a new key; with every scope unless some are named."""
        _, text = create(self.file, "tested", allowed or SCOPES, collections)
        return {"Authorization": f"Bearer {text}"}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        response: httpx.Response = self.client.request(method, path, headers=headers, **more)
        return response

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


def access_around(inner: Any, args: AccessArgs) -> Any:
    """`Access` around `inner`."""

    def refuse(request: Any, refused: Refused, headers: Any = None) -> Any:
        return errors.response(FORMS, request, refused, headers)

    rates, audit = Rates(args.rate_limit, args.rate_burst), Audit(Path(args.audit_log))
    return RequestBounds(Access(inner, args, Keys(args.keys_file), rates, audit, refuse), 100)


async def accept(scope: Connection, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
