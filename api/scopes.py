"""The scope and the collections that each route requires, in one table."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette._utils import get_route_path
from starlette.routing import compile_path
from starlette.types import Scope as Connection

from access.audit import Action
from access.keys import Key, Scope
from api.admission import ALWAYS
from api.contracts.face_database import COLLECTIONS


@dataclass(frozen=True, slots=True)
class Need:
    """What a route requires from a key.

    Attributes:
        scope: the scope that a key must have.
        action: the action in the audit log; None if the route is not logged.
        collections: collections that the route reaches in addition to the one in its path.
        everything: whether the route reaches all collections. A key bound to specific collections cannot use it.
    """

    scope: Scope
    action: Action | None = None
    collections: frozenset[str] = frozenset()
    everything: bool = False

    def reached_by(self, key: Key, named: str | None) -> bool:
        """Whether `key` reaches the route's collections and the one `named` in the path."""
        if self.everything:
            return not key.collections
        return all(map(key.reaches, self.collections if named is None else self.collections | {named}))


_READ = Need("read")
_COLLECTION = "/v1/collections/{collection}"

NEEDS: Mapping[tuple[str, str], Need] = {
    ("POST", "/match"): _READ,
    ("POST", "/compare"): _READ,
    ("POST", "/mediapipe"): _READ,
    ("POST", "/detect-face"): _READ,
    ("POST", "/extract-embedding"): _READ,
    ("POST", "/compare-faces"): _READ,
    ("POST", "/api/v1/extract-embedding"): _READ,
    ("POST", "/api/v1/compare-faces"): _READ,
    ("POST", "/api/v1/warm-up"): _READ,
    ("GET", "/api/v1/model-info"): _READ,
    ("POST", "/add_face"): Need("enrol", "enrol", COLLECTIONS),
    ("POST", "/match_face"): Need("read", "search", COLLECTIONS),
    ("GET", "/list_faces"): Need("read", None, COLLECTIONS),
    ("DELETE", "/delete_face/{face_id:text}"): Need("delete", "delete", COLLECTIONS),
    ("GET", "/stats"): Need("read", None, COLLECTIONS),
    ("GET", "/metrics"): _READ,
    ("GET", "/v1/models"): _READ,
    ("GET", "/v1/status"): _READ,
    ("POST", "/v1/detect"): _READ,
    ("POST", "/v1/embed"): _READ,
    ("POST", "/v1/verify"): _READ,
    ("POST", "/v1/verify/many"): _READ,
    ("POST", "/v1/compare"): _READ,
    ("GET", "/v1/collections"): _READ,
    ("PUT", _COLLECTION): Need("admin", "change_collection"),
    ("GET", _COLLECTION): _READ,
    ("DELETE", _COLLECTION): Need("admin", "delete_collection"),
    ("POST", f"{_COLLECTION}/faces"): Need("enrol", "enrol"),
    ("POST", f"{_COLLECTION}/embeddings"): Need("enrol", "enrol"),
    ("POST", f"{_COLLECTION}/import"): Need("enrol", "enrol"),
    ("DELETE", f"{_COLLECTION}/faces/{{face_id}}"): Need("delete", "delete"),
    ("GET", f"{_COLLECTION}/subjects"): _READ,
    ("GET", f"{_COLLECTION}/subjects/{{subject:text}}"): _READ,
    ("PATCH", f"{_COLLECTION}/subjects/{{subject:text}}"): Need("enrol", "set_metadata"),
    ("DELETE", f"{_COLLECTION}/subjects/{{subject:text}}"): Need("delete", "delete"),
    ("POST", f"{_COLLECTION}/subjects/delete"): Need("delete", "delete"),
    ("POST", f"{_COLLECTION}/subjects/rename"): Need("enrol", "rename"),
    ("POST", f"{_COLLECTION}/subjects/merge"): Need("enrol", "merge"),
    ("POST", f"{_COLLECTION}/search"): Need("read", "search"),
    ("POST", f"{_COLLECTION}/search/embedding"): Need("read", "search"),
    ("POST", f"{_COLLECTION}/verify"): Need("read", "verify"),
    ("POST", f"{_COLLECTION}/verify/embedding"): Need("read", "verify"),
    ("POST", "/v1/gallery/clean"): Need("admin", "clean", everything=True),
}
"""Requirements by method and path. The routes in `api.admission.ALWAYS` are open to everyone."""


@dataclass(frozen=True, slots=True)
class RequestedRoute:
    """The route of a request, and the collection in its path."""

    route: str
    need: Need
    collection: str | None


_PATTERNS = [(method, *compile_path(path), need) for (method, path), need in NEEDS.items()]


def requested_route(connection: Connection) -> RequestedRoute | None:
    """Find the route of a request. None if no route has its path and method."""
    # Use the text that Starlette matches: parsing it differently would allow bypassing the table.
    path = get_route_path(connection)
    for method, pattern, form, _, need in _PATTERNS:
        if method == connection["method"] and (found := pattern.match(path)):
            return RequestedRoute(f"{method} {form}", need, found.groupdict().get("collection"))
    return None


def route_label(connection: Connection) -> tuple[str, str]:
    """Return a request's method and route for metrics, from a small set; ("OTHER", "other") if no route matches.

    For a request of an AWS client, the route ends with the operation's name, if the operation is known.
    """
    if operation := connection.get("state", {}).get("operation"):
        return "POST", f"/ {operation}"
    if wanted := requested_route(connection):
        method, _, path = wanted.route.partition(" ")
        return method, path
    path = get_route_path(connection)
    return (connection["method"], path) if connection["method"] == "GET" and path in ALWAYS else ("OTHER", "other")


def install(app: FastAPI, required: bool) -> None:
    """Add each operation's scope to the OpenAPI document of `app`.

    Args:
        app: an app with all its routes.
        required: whether requests need a key.

    Raises:
        LookupError: a route is neither in the table nor open to everyone.
    """
    if unknown := sorted(set(_operations(app)) - NEEDS.keys()):
        raise LookupError(f"no scope is set for {unknown}")
    app.openapi = functools.cache(functools.partial(_document, app.openapi, required))  # type: ignore[method-assign]


def _operations(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        # Routes outside the document serve pages and files.
        if getattr(route, "include_in_schema", False) and route.path not in ALWAYS:
            yield from ((method, str(route.path)) for method in route.methods or ())


def _document(generate: Any, required: bool) -> dict[str, Any]:
    document: dict[str, Any] = generate()
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    }
    for (method, path), need in NEEDS.items():
        _, form, _ = compile_path(path)
        operation = document["paths"][form][method.lower()]
        told = f"{operation.get('description', '')}\n\nScope of the key: `{need.scope}`."
        operation["description"] = told.lstrip()
        schemes: list[dict[str, list[str]]] = [{"bearer": [need.scope]}, {"header": [need.scope]}]
        operation["security"] = schemes if required else [{}, *schemes]
    return document
