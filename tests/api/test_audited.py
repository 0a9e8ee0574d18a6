"""The audit log's entry of a request."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Send
from starlette.types import Scope as Connection

from api.scopes import NEEDS
from tests.api.asgi import ask
from tests.api.keyed import KeyedService, accept, access_around, filled
from tests.fakes import direction, serve_log

ADDRESS = "192.0.2.7"


def enrol(keyed: KeyedService, headers: dict[str, str], *subjects: str) -> httpx.Response:
    photos = [("photo", (f"{subject}.jpg", subject.encode())) for subject in subjects]
    return keyed.ask("POST", "/v1/collections/staff/faces", headers, data={"subject": list(subjects)}, files=photos)


def test_an_entry_says_who_did_what_to_whom_and_nothing_about_faces(keyed: KeyedService) -> None:
    headers = keyed.key() | {"X-Request-ID": "r-1", "X-Forwarded-For": ADDRESS}
    staff = "/v1/collections/staff"
    embedding = {"contract": "contract", "values": direction(90)}
    more = {"contract": "contract", "embeddings": [{"subject": "carl", "values": direction(270)}]}
    done = [
        keyed.ask("PUT", staff, headers, json={}),
        enrol(keyed, headers, "anna", "bob"),
        keyed.ask("POST", f"{staff}/embeddings", headers, json=more),
        keyed.ask("POST", f"{staff}/search", headers, files={"photo": ("x.jpg", b"anna")}),
        keyed.ask("POST", f"{staff}/search/embedding", headers, json={"embedding": embedding}),
        keyed.ask("DELETE", f"{staff}/subjects/anna", headers),
        keyed.ask("POST", f"{staff}/subjects/delete", headers, json={"ids": ["bob", "nobody", "bob"]}),
        keyed.ask("DELETE", f"{staff}/faces/f1", headers),
        keyed.ask("POST", "/v1/gallery/clean", headers),
        keyed.ask("DELETE", staff, headers, params={"with_faces": "true"}),
    ]
    noted = keyed.entries()
    assert [response.status_code for response in done] == [each["status"] for each in noted]
    assert [each["status"] for each in noted] == [201, 201, 201, 200, 200, 200, 200, 404, 200, 200]
    assert [(each["action"], each["route"], each["collection"], each["subjects"], each["faces"]) for each in noted] == [
        ("change_collection", "PUT /v1/collections/{collection}", "staff", [], []),
        ("enrol", "POST /v1/collections/{collection}/faces", "staff", ["anna", "bob"], []),
        ("enrol", "POST /v1/collections/{collection}/embeddings", "staff", ["carl"], []),
        ("search", "POST /v1/collections/{collection}/search", "staff", ["anna"], []),
        ("search", "POST /v1/collections/{collection}/search/embedding", "staff", ["bob"], []),
        ("delete", "DELETE /v1/collections/{collection}/subjects/{subject}", "staff", ["anna"], []),
        ("delete", "POST /v1/collections/{collection}/subjects/delete", "staff", ["bob", "nobody"], []),
        ("delete", "DELETE /v1/collections/{collection}/faces/{face_id}", "staff", [], ["f1"]),
        ("clean", "POST /v1/gallery/clean", None, [], []),
        ("delete_collection", "DELETE /v1/collections/{collection}", "staff", [], []),
    ]
    id = headers["Authorization"].split("_")[1]
    assert {(each["key"], each["address"], each["request_id"]) for each in noted} == {(id, ADDRESS, "r-1")}
    text = keyed.log.read_text("ascii")
    assert headers["Authorization"].split("_", 2)[2] not in text
    for secret in (b"anna", b"bob"):
        assert base64.b64encode(secret).decode() not in text
    assert "-1.0" not in text
    assert "values" not in text


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
    enrol(keyed, headers, "anna")
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


def test_a_request_without_an_answer_is_logged_without_a_status(keyed: KeyedService) -> None:
    async def broken(scope: Connection, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ask(access_around(broken, keyed.service.access), **deletion(keyed)))
    [noted] = keyed.entries()
    assert (noted["action"], noted["status"]) == ("delete_collection", None)


def test_an_entry_is_written_before_the_answer(keyed: KeyedService) -> None:
    before: list[int] = []

    async def send(message: Message) -> None:
        before.append(len(keyed.entries()))

    asyncio.run(access_around(accept, keyed.service.access)({"type": "http", **deletion(keyed)}, None, send))
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
