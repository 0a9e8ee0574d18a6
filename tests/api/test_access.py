"""Who may call what, and what the audit log has of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Send
from starlette.types import Scope as Connection

from access import keys as keys_module
from access.keys import LOOK_S, SCOPES, Scope, create, revoke
from api import scopes
from api.admission import ALWAYS
from api.app import create_app, routes
from api.scopes import NEEDS, asked
from tests.api.keyed import House, accept, filled, stacked
from tests.fakes import serve_log

Headers = dict[Scope, dict[str, str]]
"""Of a request with a key, by scope."""

UNKNOWN = "The API key is not known, was revoked or has expired"
NEEDED = "An API key is needed, as Authorization: Bearer KEY or X-API-Key: KEY"
OPERATIONS = sorted(NEEDS)
FORMED: dict[str, Any] = {
    "/match": {"success": False, "error": ...},
    "/compare": {"detail": ...},
    "/mediapipe": {"detail": ...},
    "/add_face": {"detail": ...},
    "/detect-face": {"error": ...},
    "/api/v1/extract-embedding": {"detail": {"code": ..., "message": ...}},
    "/v1/verify": {"error": {"code": ..., "message": ..., "details": ...}, "request_id": ...},
}
"""A path of each contract, and the form of its errors."""


def code(response: httpx.Response) -> Any:
    return response.json()["error"]["code"]


def holes(value: Any, form: Any) -> None:
    """Check that `value` has the keys of `form`, and its values where they are not ``...``."""
    if isinstance(form, dict):
        assert value.keys() == form.keys()
        for name, inner in form.items():
            holes(value[name], inner)
    elif form is not ...:
        assert value == form


def test_every_operation_of_the_document_needs_a_scope_or_is_open(house: House) -> None:
    document = house.ask("GET", "/openapi.json").json()
    listed = {(m.upper(), path) for path, item in document["paths"].items() for m in item if path not in ALWAYS}
    known = {(method, path.replace(":text}", "}")): need for (method, path), need in NEEDS.items()}
    assert listed == known.keys()
    for (method, path), need in known.items():
        operation = document["paths"][path][method.lower()]
        assert operation["security"] == [{"bearer": [need.scope]}, {"header": [need.scope]}]
        assert operation["description"].endswith(f"Scope of the key: `{need.scope}`.")
    assert all("security" not in each for path in ALWAYS for each in document["paths"].get(path, {}).values())
    schemes = document["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["header"]["name"]) == ("bearer", "X-API-Key")


def test_the_document_says_where_no_key_is_needed(houses: Callable[..., House]) -> None:
    document = houses(require_keys=False).ask("GET", "/openapi.json").json()
    assert document["paths"]["/match"]["post"]["security"] == [{}, {"bearer": ["read"]}, {"header": ["read"]}]


def test_a_route_that_the_table_does_not_have_starts_no_service(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "NEEDS", {each: need for each, need in NEEDS.items() if each != ("POST", "/match")})
    routes.cache_clear()
    with pytest.raises(LookupError, match="/match"):
        create_app(house.service)


def test_the_scopes_are_these() -> None:
    by_scope = {scope: {entry for entry, need in NEEDS.items() if need.scope == scope} for scope in SCOPES}
    staff = "/v1/collections/{collection}"
    assert by_scope["enrol"] == {("POST", "/add_face"), ("POST", f"{staff}/faces"), ("POST", f"{staff}/embeddings")}
    assert by_scope["delete"] == {
        ("DELETE", "/delete_face/{face_id:text}"),
        ("DELETE", f"{staff}/faces/{{face_id}}"),
        ("DELETE", f"{staff}/subjects/{{subject:text}}"),
        ("POST", f"{staff}/subjects/delete"),
    }
    assert by_scope["admin"] == {("PUT", staff), ("DELETE", staff), ("POST", "/v1/gallery/clean")}
    assert {method for method, _ in by_scope["read"]} == {"GET", "POST"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Headers, Headers]:
    """A house, a key of each scope alone, and one of all the others."""
    house = House(tmp_path_factory.mktemp("shared"))
    alone: Headers = {scope: house.key(scope) for scope in SCOPES}
    others: Headers = {scope: house.key(*(each for each in SCOPES if each != scope)) for scope in SCOPES}
    return house, alone, others


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_route_is_for_its_scope_and_no_other(method: str, path: str, shared: Any) -> None:
    house, alone, others = shared
    need = NEEDS[method, path]
    assert house.ask(method, filled(path), json={}).status_code == 401
    refused = house.ask(method, filled(path), others[need.scope], json={})
    assert refused.status_code == 403
    assert f"does not have the scope {need.scope}" in refused.text
    assert house.ask(method, filled(path), alone[need.scope], json={}).status_code not in (401, 403, 429)


@pytest.mark.parametrize("path", sorted(ALWAYS))
def test_what_tells_how_the_service_is_needs_no_key(path: str, house: House) -> None:
    assert house.ask("GET", path).status_code == 200
    assert house.ask("GET", path, {"X-API-Key": "wrong"}).status_code == 200


def test_a_key_comes_in_either_header(house: House) -> None:
    bearer = house.key("read")
    _, key = bearer["Authorization"].split()
    for headers in (bearer, {"Authorization": f"bearer  {key}"}, {"X-API-Key": key}):
        assert house.ask("GET", "/v1/models", headers).status_code == 200
    proxied = {"Authorization": "Bearer of-a-proxy", "X-API-Key": key}
    assert house.ask("GET", "/v1/models", proxied).status_code == 200
    for headers in ({"Authorization": f"Basic {key}"}, {"Authorization": key}, {}):
        response = house.ask("GET", "/v1/models", headers)
        assert (response.status_code, response.json()["error"]["message"]) == (401, NEEDED)
    assert house.ask("GET", f"/v1/models?api_key={key}").status_code == 401


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("headers", [{"X-API-Key": ""}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_a_wrong_key_is_refused_even_where_none_is_needed(
    required: bool, headers: dict[str, str], houses: Callable[..., House]
) -> None:
    house = houses(require_keys=required)
    response = house.ask("GET", "/v1/models", headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["error"] == {"code": "UNAUTHENTICATED", "message": UNKNOWN, "details": {}}
    assert not house.log.exists()


def test_where_none_is_needed_a_caller_without_a_key_may_do_all(houses: Callable[..., House]) -> None:
    house = houses(require_keys=False)
    for method, path in OPERATIONS:
        assert house.ask(method, filled(path), json={}).status_code not in (401, 403), path
    assert house.ask("GET", "/v1/models", house.key("enrol")).status_code == 403


@pytest.mark.parametrize(("path", "form"), FORMED.items())
def test_refusals_have_the_form_of_the_paths_contract(path: str, form: Any, houses: Callable[..., House]) -> None:
    house = houses(rate_limit=0.001, rate_burst=1)
    stranger = house.ask("POST", path)
    assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, "Bearer")
    delete = house.key("delete")
    answers = [stranger, house.ask("POST", path, delete), house.ask("POST", path, delete)]
    assert [answer.status_code for answer in answers] == [401, 403, 429]
    for answer in answers:
        holes(answer.json(), form)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server-timing" in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/match", 405),
        ("PATCH", "/v1/collections/staff", 405),
        ("HEAD", "/v1/models", 405),
        ("OPTIONS", "/v1/models", 405),
        ("GET", "/v1/collections/staff/nothing", 404),
    ],
)
def test_what_is_not_there_is_told_to_a_caller_with_a_key(method: str, path: str, status: int, house: House) -> None:
    assert house.ask(method, path).status_code == 401
    bound = house.key("delete", collections=["other"])
    response = house.ask(method, path, bound)
    assert response.status_code == status
    if method != "HEAD" and path != "/match":
        assert code(response) == {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[status]


def test_a_page_may_ask_first_without_a_key_and_read_that_it_needs_one(house: House) -> None:
    page = {"origin": "https://page.example"}
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    first = house.ask("OPTIONS", "/api/v1/extract-embedding", page | asks)
    assert first.status_code == 200
    assert "authorization" in first.headers["access-control-allow-headers"]
    response = house.ask("POST", "/api/v1/extract-embedding", page, json={})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, "*")


def test_a_body_is_not_read_before_a_refusal(house: House) -> None:
    async def never() -> Message:
        raise AssertionError("the body was read")

    async def status(*headers: tuple[bytes, bytes]) -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        connection = {"type": "http", "method": "POST", "path": "/match", "query_string": b"", "headers": headers}
        await create_app(house.service)(connection, never, send)
        return int(sent[0]["status"])

    [(_, delete)] = house.key("delete").items()
    length = (b"content-length", b"1000000000")
    assert asyncio.run(status(length)) == 401
    assert asyncio.run(status(length, (b"x-api-key", b"wrong"))) == 401
    assert asyncio.run(status(length, (b"authorization", delete.encode()))) == 403


def test_a_stranger_takes_no_place(houses: Callable[..., House]) -> None:
    seen: list[Connection] = []

    async def inner(scope: Connection, receive: Receive, send: Send) -> None:
        seen.append(scope)

    app = stacked(inner, houses().service.access)
    assert TestClient(app).post("/match").status_code == 401
    assert seen == []


def test_a_revoked_key_stops_within_a_second(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "LOOK_S", LOOK_S)
    seconds = 0.0
    client = TestClient(stacked(accept, house.service.access, lambda: seconds))
    made, text = create(house.file, "door", ["read"])
    headers = {"X-API-Key": text}
    assert client.get("/v1/models", headers=headers).status_code == 200
    revoke(house.file, made.id)
    seconds = 1.0
    assert client.get("/v1/models", headers=headers).status_code == 401


@pytest.mark.parametrize("required", [True, False])
def test_with_a_damaged_file_no_key_gets_in_and_the_cause_is_logged(
    required: bool, houses: Callable[..., House]
) -> None:
    house = houses(require_keys=required)
    headers = house.key()
    house.file.write_text("{", "utf-8")
    with serve_log() as records:
        response = house.ask("GET", "/v1/models", headers | {"X-Request-ID": "caller-17"})
    assert response.status_code == 500
    assert code(response) == "INTERNAL_ERROR"
    assert "keys.json" not in response.text
    [record] = records
    assert "caller-17" in record.getMessage()
    assert record.exc_info is not None
    assert f"the keys in {house.file} cannot be read" in str(record.exc_info[1])
    assert house.ask("GET", "/v1/models").status_code == (401 if required else 200)


def test_a_bound_key_reaches_its_collections_alone(house: House) -> None:
    root = house.key()
    for name in ("staff", "guests"):
        assert house.ask("PUT", f"/v1/collections/{name}", root, json={}).status_code == 201
    bound = house.key(collections=["staff"])
    for (method, path), need in NEEDS.items():
        if "{collection}" in path:
            refused = house.ask(method, filled(path, "guests"), bound, json={})
            assert refused.status_code == 403, path
            assert refused.json()["error"]["message"] == "The API key is bound to other collections"
            assert house.ask(method, filled(path, "staff"), bound, json={}).status_code != 403, path
        elif need.collections or need.everything:
            assert house.ask(method, filled(path), bound, json={}).status_code == 403, path
        else:
            assert house.ask(method, filled(path), bound, json={}).status_code != 403, path


def test_a_bound_key_sees_its_collections_alone(house: House) -> None:
    for name in ("staff", "guests"):
        house.ask("PUT", f"/v1/collections/{name}", house.key(), json={})

    def names(headers: dict[str, str]) -> list[str]:
        listed = house.ask("GET", "/v1/collections", headers).json()["collections"]
        return [each["name"] for each in listed]

    assert names(house.key()) == ["guests", "staff"]
    assert names(house.key("read", collections=["staff", "other"])) == ["staff"]


@pytest.mark.parametrize("path", ["/stats", "/list_faces"])
def test_the_face_database_is_for_keys_of_both_its_collections(path: str, house: House) -> None:
    for name in ("faces-arcface", "faces-facenet"):
        assert house.ask("GET", path, house.key(collections=[name])).status_code == 403
    both = house.key(collections=["faces-facenet", "faces-arcface"])
    assert house.ask("GET", path, both).status_code == 200


@pytest.mark.parametrize(
    ("path", "root", "route"),
    [
        ("/v1/collections/staff", "", "GET /v1/collections/{collection}"),
        ("/faces/v1/collections/staff", "/faces", "GET /v1/collections/{collection}"),
        ("/v1/collections/a\nb", "", "GET /v1/collections/{collection}"),
        ("/v1/collections/staff/subjects/a/b\n", "", "GET /v1/collections/{collection}/subjects/{subject}"),
        ("/v1//collections/staff", "", None),
        ("/V1/collections/staff", "", None),
        ("/v1/collections/staff/", "", None),
    ],
)
def test_an_address_is_read_as_the_routes_read_it(path: str, root: str, route: str | None) -> None:
    found = asked({"method": "GET", "path": path, "root_path": root})
    assert (found and found.route) == route


def test_what_is_not_http_passes(house: House) -> None:
    seen: list[Connection] = []

    async def inner(scope: Connection, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    asyncio.run(stacked(inner, house.service.access)(scope, None, None))
    assert seen == [scope]
