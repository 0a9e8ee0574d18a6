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
from tests.api.keyed import House, accept, filled, stacked
from tests.fakes import direction, serve_log

ADDRESS = "192.0.2.7"


def enrol(house: House, headers: dict[str, str], *subjects: str) -> httpx.Response:
    photos = [("photo", (f"{subject}.jpg", subject.encode())) for subject in subjects]
    return house.ask("POST", "/v1/collections/staff/faces", headers, data={"subject": list(subjects)}, files=photos)


def test_an_entry_says_who_did_what_to_whom_and_nothing_about_faces(house: House) -> None:
    headers = house.key() | {"X-Request-ID": "r-1", "X-Forwarded-For": ADDRESS}
    staff = "/v1/collections/staff"
    embedding = {"contract": "contract", "values": direction(90)}
    more = {"contract": "contract", "embeddings": [{"subject": "carl", "values": direction(270)}]}
    done = [
        house.ask("PUT", staff, headers, json={}),
        enrol(house, headers, "anna", "bob"),
        house.ask("POST", f"{staff}/embeddings", headers, json=more),
        house.ask("POST", f"{staff}/search", headers, files={"photo": ("x.jpg", b"anna")}),
        house.ask("POST", f"{staff}/search/embedding", headers, json={"embedding": embedding}),
        house.ask("DELETE", f"{staff}/subjects/anna", headers),
        house.ask("POST", f"{staff}/subjects/delete", headers, json={"ids": ["bob", "nobody", "bob"]}),
        house.ask("DELETE", f"{staff}/faces/f1", headers),
        house.ask("POST", "/v1/gallery/clean", headers),
        house.ask("DELETE", staff, headers, params={"with_faces": "true"}),
    ]
    noted = house.noted()
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
    text = house.log.read_text("ascii")
    assert headers["Authorization"].split("_", 2)[2] not in text
    for secret in (b"anna", b"bob"):
        assert base64.b64encode(secret).decode() not in text
    assert "-1.0" not in text
    assert "values" not in text


def test_the_face_database_is_logged_with_its_collection(house: House) -> None:
    headers = house.key()
    photo = {"file": ("x.jpg", b"anna")}
    house.ask("POST", "/add_face", headers, data={"id": "a", "model": "facenet"}, files=photo)
    house.ask("POST", "/match_face", headers, data={"model": "facenet"}, files=photo)
    house.ask("POST", "/match_face", headers, files={"file": ("x.jpg", b"anna")})
    house.ask("DELETE", "/delete_face/a", headers, params={"model": "facenet"})
    assert [(each["action"], each["collection"], each["subjects"], each["status"]) for each in house.noted()] == [
        ("enrol", "faces-facenet", ["a"], 200),
        ("search", "faces-facenet", ["a"], 200),
        ("search", "faces-arcface", [], 200),
        ("delete", "faces-facenet", ["a"], 200),
    ]


def test_a_failed_request_is_logged_with_its_subjects(house: House) -> None:
    headers = house.key()
    enrol(house, headers, "anna")
    house.ask("PUT", "/v1/collections/staff", headers, json={})
    photo = [("photo", ("x.jpg", b"broken"))]
    house.ask("POST", "/v1/collections/staff/faces", headers, data={"subject": "anna"}, files=photo)
    house.ask("POST", "/v1/collections/staff/faces", headers, json={})
    house.ask("DELETE", f"/v1/collections/staff/subjects/{'x' * 600}", headers)
    house.ask("DELETE", "/v1/collections/staff/subjects/anna", house.key("read"))
    assert [(each["subjects"], each["status"]) for each in house.noted()] == [
        (["anna"], 404),
        ([], 201),
        (["anna"], 422),
        ([], 400),
        (["x" * 512], 422),
        ([], 403),
    ]


def test_a_request_that_only_computes_or_lists_is_not_logged(house: House) -> None:
    headers = house.key()
    for (method, path), need in NEEDS.items():
        if need.action is None:
            house.ask(method, filled(path), headers, json={})
    house.ask("GET", "/nowhere", headers)
    assert not house.log.exists()


def deletion(house: House) -> dict[str, Any]:
    """The connection of a request that deletes a collection."""
    headers = [(name.lower().encode(), value.encode()) for name, value in house.key().items()]
    return {"method": "DELETE", "path": "/v1/collections/staff", "headers": headers}


def test_a_request_without_an_answer_is_logged_without_a_status(house: House) -> None:
    async def broken(scope: Connection, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ask(stacked(broken, house.service.access), **deletion(house)))
    [noted] = house.noted()
    assert (noted["action"], noted["status"]) == ("delete_collection", None)


def test_an_entry_is_written_before_the_answer(house: House) -> None:
    before: list[int] = []

    async def send(message: Message) -> None:
        before.append(len(house.noted()))

    asyncio.run(stacked(accept, house.service.access)({"type": "http", **deletion(house)}, None, send))
    assert before == [1, 1]


def test_an_entry_that_cannot_be_written_is_an_error_in_the_services_log(house: House) -> None:
    house.log.mkdir()
    headers = house.key()
    with serve_log() as records:
        for _ in range(2):
            assert house.ask("PUT", "/v1/collections/staff", headers, json={}).status_code in (200, 201)
    assert [record.levelname for record in records] == ["ERROR", "ERROR"]
    assert all("is not in the audit log" in record.getMessage() for record in records)


def test_a_log_can_be_switched_off(houses: Callable[..., House]) -> None:
    house = houses(audit_log="")
    assert house.ask("PUT", "/v1/collections/staff", house.key(), json={}).status_code == 201
    assert house.noted() == []
