"""The audit log's entry of a request."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message

from api.scopes import NEEDS
from tests.api.asgi import ask
from tests.api.conftest import KeyedService, filled
from tests.fakes import direction, serve_log

ADDRESS = "192.0.2.7"


def photos(*subjects: str) -> dict[str, Any]:
    """A form that enrols these subjects, by photos that show them."""
    files = [("photo", (f"{subject}.jpg", subject.encode())) for subject in subjects]
    return {"data": {"subject": list(subjects)}, "files": files}


STAFF = "/v1/collections/{collection}"
CARL = {"subject": "carl", "values": direction(270)}
PROBE = {"contract": "contract", "values": direction(90)}
LOGGED: list[tuple[str, str, dict[str, Any], int, str, list[str]]] = [
    ("PUT", STAFF, {"json": {}}, 201, "change_collection", []),
    ("POST", f"{STAFF}/faces", photos("anna", "bob"), 201, "enrol", ["anna", "bob"]),
    ("POST", f"{STAFF}/embeddings", {"json": {"contract": "contract", "embeddings": [CARL]}}, 201, "enrol", ["carl"]),
    ("POST", f"{STAFF}/search", photos("anna") | {"data": {}}, 200, "search", ["anna"]),
    ("POST", f"{STAFF}/search/embedding", {"json": {"embedding": PROBE}}, 200, "search", ["bob"]),
    ("POST", f"{STAFF}/verify", photos("anna"), 200, "verify", ["anna"]),
    (
        *("POST", f"{STAFF}/verify/embedding", {"json": {"subject": "dora", "embedding": PROBE}}),
        *(404, "verify", ["dora"]),
    ),
    ("DELETE", f"{STAFF}/subjects/{{subject}}", {}, 200, "delete", ["anna"]),
    ("POST", f"{STAFF}/subjects/delete", {"json": {"ids": ["bob", "no", "bob"]}}, 200, "delete", ["bob", "no"]),
    ("DELETE", f"{STAFF}/faces/{{face_id}}", {}, 404, "delete", []),
    ("POST", "/v1/gallery/clean", {}, 200, "clean", []),
    ("DELETE", STAFF, {"params": {"with_faces": "true"}}, 200, "delete_collection", []),
]


def test_an_entry_says_who_did_what_to_whom_and_nothing_about_faces(keyed: KeyedService) -> None:
    headers = keyed.key() | {"X-Request-ID": "r-1", "X-Forwarded-For": ADDRESS}
    _, id, secret = headers["Authorization"].split("_", 2)
    for method, route, sent, status, action, subjects in LOGGED:
        path = route.format(collection="staff", subject="anna", face_id="f1")
        assert keyed.ask(method, path, headers, **sent).status_code == status
        assert (
            keyed.entries()[-1].items()
            >= {
                **{"request_id": "r-1", "key": id, "address": ADDRESS, "status": status},
                **{"action": action, "route": f"{method} {route}", "subjects": subjects},
                "collection": "staff" if "{collection}" in route else None,
                "faces": ["f1"] if "{face_id}" in route else [],
            }.items()
        )
    assert len(keyed.entries()) == len(LOGGED)
    text = keyed.log.read_text("ascii")
    for hidden in (secret, *(base64.b64encode(photo).decode() for photo in (b"anna", b"bob")), "-1.0", "values"):
        assert hidden not in text


def test_the_face_database_is_logged_with_its_collection(keyed: KeyedService) -> None:
    headers = keyed.key()
    photo = {"file": ("x.jpg", b"anna")}
    keyed.ask("POST", "/add_face", headers, data={"id": "a", "model": "facenet"}, files=photo)
    keyed.ask("POST", "/match_face", headers, data={"model": "facenet"}, files=photo)
    keyed.ask("POST", "/match_face", headers, files={"file": ("x.jpg", b"anna")})
    keyed.ask("DELETE", "/delete_face/a", headers, params={"model": "facenet"})
    assert [(each["action"], each["collection"], each["subjects"], each["status"]) for each in keyed.entries()] == [
        ("enrol", "faces-facenet", ["a"], 200),
        ("search", "faces-facenet", ["a"], 200),
        ("search", "faces-arcface", [], 200),
        ("delete", "faces-facenet", ["a"], 200),
    ]


def test_a_failed_request_is_logged_with_its_subjects(keyed: KeyedService) -> None:
    headers, photo = keyed.key(), [("photo", ("x.jpg", b"broken"))]
    keyed.ask("POST", "/v1/collections/staff/faces", headers, **photos("anna"))
    keyed.ask("PUT", "/v1/collections/staff", headers, json={})
    keyed.ask("POST", "/v1/collections/staff/faces", headers, data={"subject": "anna"}, files=photo)
    keyed.ask("POST", "/v1/collections/staff/faces", headers, json={})
    keyed.ask("DELETE", f"/v1/collections/staff/subjects/{'x' * 600}", headers)
    keyed.ask("DELETE", "/v1/collections/staff/subjects/anna", keyed.key("read"))
    assert [(each["subjects"], each["status"]) for each in keyed.entries()] == [
        *((["anna"], 404), ([], 201), (["anna"], 422), ([], 400), (["x" * 512], 422), ([], 403))
    ]


def test_a_request_that_only_computes_or_lists_is_not_logged(keyed: KeyedService) -> None:
    headers = keyed.key()
    for (method, path), need in NEEDS.items():
        if need.action is None:
            keyed.ask(method, filled(path), headers, json={})
    keyed.ask("GET", "/nowhere", headers)
    assert not keyed.log.exists()


def deletion(keyed: KeyedService) -> dict[str, Any]:
    """The connection of a request that deletes a collection."""
    headers = [(name.lower().encode(), value.encode()) for name, value in keyed.key().items()]
    return {"method": "DELETE", "path": "/v1/collections/staff", "headers": headers}


async def test_a_request_without_an_answer_is_logged_without_a_status(keyed: KeyedService) -> None:
    async def leave() -> Message:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ask(keyed.app, leave, **deletion(keyed))
    [noted] = keyed.entries()
    assert (noted["action"], noted["status"]) == ("delete_collection", None)


async def test_an_entry_is_written_before_the_answer(keyed: KeyedService) -> None:
    before: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        before.append(len(keyed.entries()))

    await keyed.app({"type": "http", "query_string": b"", **deletion(keyed)}, receive, send)
    assert before == [1, 1]


def test_an_entry_that_cannot_be_written_is_an_error_in_the_services_log(keyed: KeyedService) -> None:
    keyed.log.mkdir()
    headers = keyed.key()
    with serve_log() as records:
        for _ in range(2):
            assert keyed.ask("PUT", "/v1/collections/staff", headers, json={}).status_code in (200, 201)
    assert [record.levelname for record in records] == ["ERROR", "ERROR"]
    assert all("is not in the audit log" in record.getMessage() for record in records)


def test_a_log_can_be_switched_off(make_keyed: Callable[..., KeyedService]) -> None:
    keyed = make_keyed(audit_log="")
    assert keyed.ask("PUT", "/v1/collections/staff", keyed.key(), json={}).status_code == 201
    assert keyed.entries() == []
