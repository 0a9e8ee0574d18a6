"""Which key may call which route, how often, and which address a caller has."""

from collections.abc import Callable
from typing import Any

import pytest

from access.keys import SCOPES, Scope
from api import scopes
from api.access import caller_address
from api.admission import ALWAYS
from api.app import create_app, routes
from api.scopes import NEEDS, requested_route
from tests.api.asgi import ask
from tests.api.conftest import KeyedService, filled
from tests.fakes import serve_log

Headers = dict[Scope, dict[str, str]]
"""The headers of a request with a key, by scope."""

UNKNOWN = "The API key is unknown, revoked or expired"
NEEDED = "Send an API key as Authorization: Bearer KEY or X-API-Key: KEY"
OPERATIONS = sorted(NEEDS)


def test_the_document_has_each_operations_scope(keyed: KeyedService) -> None:
    # If no keys are required, the document is that of test_openapi.
    operation = keyed.ask("GET", "/openapi.json").json()["paths"]["/match"]["post"]
    assert operation["description"].endswith("Scope of the key: `read`.")
    assert operation["security"] == [{"bearer": ["read"]}, {"header": ["read"]}]


def test_a_route_without_a_scope_starts_no_service(keyed: KeyedService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "NEEDS", {each: need for each, need in NEEDS.items() if each != ("POST", "/match")})
    routes.cache_clear()
    with pytest.raises(LookupError, match="/match"):
        create_app(keyed.service)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeyedService, Headers, Headers]:
    """A service, and by scope a key with only this scope and a key with all others."""
    keyed = KeyedService(tmp_path_factory.mktemp("shared"))
    alone: Headers = {scope: keyed.key(scope) for scope in SCOPES}
    others: Headers = {scope: keyed.key(*(each for each in SCOPES if each != scope)) for scope in SCOPES}
    return keyed, alone, others


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_route_is_for_its_scope_and_no_other(method: str, path: str, shared: Any) -> None:
    keyed, alone, others = shared
    need = NEEDS[method, path]
    assert keyed.ask(method, filled(path), json={}).status_code == 401
    refused = keyed.ask(method, filled(path), others[need.scope], json={})
    assert refused.status_code == 403
    assert f"does not have the scope {need.scope}" in refused.text
    assert keyed.ask(method, filled(path), alone[need.scope], json={}).status_code not in (401, 403, 429)


def test_a_key_comes_in_either_header(keyed: KeyedService) -> None:
    bearer = keyed.key("read")
    _, key = bearer["Authorization"].split()
    for headers in (bearer, {"Authorization": f"bearer  {key}"}, {"X-API-Key": key}):
        assert keyed.ask("GET", "/v1/models", headers).status_code == 200
    proxied = {"Authorization": "Bearer of-a-proxy", "X-API-Key": key}
    assert keyed.ask("GET", "/v1/models", proxied).status_code == 200
    for headers in ({"Authorization": f"Basic {key}"}, {"Authorization": key}, {}):
        response = keyed.ask("GET", "/v1/models", headers)
        assert (response.status_code, response.json()["error"]["message"]) == (401, NEEDED)
    assert keyed.ask("GET", f"/v1/models?api_key={key}").status_code == 401


@pytest.mark.parametrize("path", sorted(ALWAYS | {"/", "/health", "/ui/", "/ui/app.js"}))
def test_paths_about_the_service_itself_need_no_key(path: str, keyed: KeyedService) -> None:
    assert keyed.ask("GET", path).status_code == 200
    assert keyed.ask("GET", path, {"X-API-Key": "wrong"}).status_code == 200
    preflight = {"origin": "https://page.example", "access-control-request-method": "POST"}
    assert keyed.ask("OPTIONS", "/api/v1/extract-embedding", preflight).status_code == 200


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("headers", [{"X-API-Key": ""}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_a_wrong_key_is_refused_even_where_none_is_needed(
    required: bool, headers: dict[str, str], make_keyed: Callable[..., KeyedService]
) -> None:
    keyed = make_keyed(require_keys=required)
    response = keyed.ask("GET", "/v1/models", headers)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert response.json()["error"] == {"code": "UNAUTHENTICATED", "message": UNKNOWN, "details": {}}
    assert not keyed.log.exists()


def test_if_no_key_is_required_a_caller_without_one_may_do_everything(make_keyed: Callable[..., KeyedService]) -> None:
    keyed = make_keyed(require_keys=False)
    for method, path in OPERATIONS:
        assert keyed.ask(method, filled(path), json={}).status_code not in (401, 403), path
    assert keyed.ask("GET", "/v1/models", keyed.key("enrol")).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/ui/nowhere", 404),
        ("GET", "/match", 405),
        ("OPTIONS", "/v1/models", 405),
    ],
)
def test_an_unknown_route_is_a_401_without_a_key(method: str, path: str, status: int, keyed: KeyedService) -> None:
    assert keyed.ask(method, path).status_code == 401
    assert keyed.ask(method, path, keyed.key("delete", collections=["other"])).status_code == status


def test_head_needs_the_key_of_get_and_answers_like_it_without_the_body(keyed: KeyedService) -> None:
    assert keyed.ask("HEAD", "/v1/models").status_code == 401
    assert keyed.ask("HEAD", "/v1/models", keyed.key("delete")).status_code == 403
    answers = [keyed.ask(method, "/v1/models", keyed.key("read")) for method in ("GET", "HEAD")]
    assert [(each.status_code, each.headers["content-length"] > "0") for each in answers] == [(200, True)] * 2
    assert [bool(each.content) for each in answers] == [True, False]


async def test_the_body_of_a_refused_request_is_not_read(make_keyed: Callable[..., KeyedService]) -> None:
    keyed = make_keyed(rate_limit=0.001, rate_burst=1)
    [(_, delete)] = keyed.key("delete").items()
    for headers, status in (
        ([], 401),
        ([(b"x-api-key", b"wrong")], 429),
        ([(b"authorization", delete.encode())], 403),
        ([(b"authorization", delete.encode())], 429),
    ):
        [start, _] = await ask(keyed.app, headers=headers)
        assert start["status"] == status


@pytest.mark.parametrize("required", [True, False])
def test_with_a_damaged_file_no_key_gets_in_and_the_cause_is_logged(
    required: bool, make_keyed: Callable[..., KeyedService]
) -> None:
    keyed = make_keyed(require_keys=required)
    headers = keyed.key()
    keyed.file.write_text("{", "utf-8")
    with serve_log() as records:
        response = keyed.ask("GET", "/v1/models", headers | {"X-Request-ID": "caller-17"})
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "INTERNAL_ERROR"
    assert "keys.json" not in response.text
    [record] = records
    assert "caller-17" in record.getMessage()
    assert record.exc_info is not None
    assert f"the keys in {keyed.file} cannot be read" in str(record.exc_info[1])
    assert keyed.ask("GET", "/v1/models").status_code == (401 if required else 200)


def test_a_bound_key_reaches_only_its_collections(keyed: KeyedService) -> None:
    for name in ("staff", "guests"):
        assert keyed.ask("PUT", f"/v1/collections/{name}", keyed.key(), json={}).status_code == 201
    bound = keyed.key(collections=["staff"])
    for (method, path), need in NEEDS.items():
        response = keyed.ask(method, filled(path, "guests"), bound, json={})
        others = "{collection}" in path or need.everything or bool(need.collections)
        assert (response.status_code == 403) is others, path
        if "{collection}" in path:
            assert keyed.ask(method, filled(path, "staff"), bound, json={}).status_code != 403, path


def test_a_bound_key_sees_only_its_collections(keyed: KeyedService) -> None:
    for name in ("staff", "faces-arcface"):
        keyed.ask("PUT", f"/v1/collections/{name}", keyed.key(), json={})
    listed = keyed.ask("GET", "/v1/collections", keyed.key("read", collections=["staff", "other"])).json()
    assert [each["name"] for each in listed["collections"]] == ["staff"]
    for path in ("/stats", "/list_faces"):
        # The face database requires a key for both of its collections.
        assert keyed.ask("GET", path, keyed.key(collections=["faces-arcface"])).status_code == 403
        both = keyed.key(collections=["faces-facenet", "faces-arcface"])
        assert keyed.ask("GET", path, both).status_code == 200


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
    found = requested_route({"method": "GET", "path": path, "root_path": root})
    assert (found and found.route) == route


ADDRESS = "192.0.2.7"
MODELS = ("GET", "/v1/models")


def test_a_caller_over_the_rate_is_told_when_to_try_again(make_keyed: Callable[..., KeyedService]) -> None:
    keyed = make_keyed(rate_limit=0.001, rate_burst=2)
    first, second = keyed.key("read"), keyed.key("read")
    assert [keyed.ask(*MODELS, first).status_code for _ in range(2)] == [200, 200]
    response = keyed.ask(*MODELS, first)
    wait = int(response.headers["retry-after"])
    assert (response.status_code, 900 < wait <= 1000) == (429, True)
    error = {"code": "RATE_LIMITED", "message": "Too many requests", "details": {"retry_after": wait}}
    assert response.json()["error"] == error
    assert keyed.ask(*MODELS, second).status_code == keyed.ask("GET", "/health").status_code == 200


def test_callers_without_a_valid_key_are_counted_by_address(make_keyed: Callable[..., KeyedService]) -> None:
    keyed = make_keyed(rate_limit=0.001, rate_burst=1, require_keys=False)
    ends = ("192.0.2.1", "192.0.2.1", "invented, 192.0.2.1", "192.0.2.2")
    assert [keyed.ask(*MODELS, {"X-Forwarded-For": end}).status_code for end in ends] == [200, 429, 429, 200]
    keyed = make_keyed(rate_limit=0.001, rate_burst=1)
    assert [keyed.ask(*MODELS, {"X-API-Key": f"guess-{n}"}).status_code for n in range(3)] == [401, 429, 429]
    assert keyed.ask(*MODELS, keyed.key("read")).status_code == 200


@pytest.mark.parametrize(
    ("lines", "hops", "address"),
    [
        ([], 1, "10.0.0.1"),
        (["192.0.2.7"], 0, "10.0.0.1"),
        (["1.2.3.4, 192.0.2.7"], 1, ADDRESS),
        (["1.2.3.4", "192.0.2.7"], 1, ADDRESS),
        (["1.2.3.4,192.0.2.7 , 10.9.9.9"], 2, ADDRESS),
        (["1.2.3.4, 192.0.2.7", "10.9.9.9"], 2, ADDRESS),
        (["192.0.2.7"], 2, "10.0.0.1"),
        (["2001:DB8::0:1"], 1, "2001:db8::1"),
        (["unknown"], 1, "10.0.0.1"),
        (["\xff" * 5000], 1, "10.0.0.1"),
    ],
)
def test_the_address_is_the_one_that_the_outermost_proxy_saw(lines: list[str], hops: int, address: str) -> None:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    assert caller_address({"headers": headers, "client": ("10.0.0.1", 5)}, hops) == address


def test_a_connection_without_a_peer_has_no_address() -> None:
    assert caller_address({"headers": [], "client": None}, 1) is None
