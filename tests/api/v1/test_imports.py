"""Imports of /v1, into a real gallery in a folder."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pyarrow as pa
import pytest
from starlette.types import Message

from api.settings import LimitArgs
from api.v1.imports import ARROW, PARQUET
from gallery.transfer import face_batches
from project.request_error import RequestError
from tests.api.asgi import ask
from tests.api.conftest import KeyedService
from tests.api.v1 import STAFF, Api, refusal, staff
from tests.fakes import direction
from tests.gallery.sample_transfers import arrow, parquet

COUNT = 20
SUBJECTS = [f"subject-{number:02}" for number in range(COUNT)]


@pytest.fixture(autouse=True)
def small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit 8 faces at a time."""
    monkeypatch.setattr(face_batches, "_MAX_ROWS", 8)


def table(subjects: Sequence[str] = SUBJECTS, **columns: Any) -> pa.Table:
    vectors = pa.array([direction(3 * number) for number in range(len(subjects))], pa.list_(pa.float32(), 2))
    return pa.table({"subject": subjects, "vector": vectors, **columns})


def send(api: Api, body: Any, kind: str = ARROW, contract: str | None = "contract") -> httpx.Response:
    params = {} if contract is None else {"contract": contract}
    return api.client.post(f"{STAFF}/import", content=body, params=params, headers={"Content-Type": kind})


@pytest.mark.parametrize(("written", "kind"), [(arrow, ARROW), (parquet, PARQUET)])
def test_faces_are_enrolled_once_with_the_ids_that_json_would_give_them(written: Any, kind: str) -> None:
    api, labelled = staff(), table(label=["a label"] * COUNT)
    one = {"subject": SUBJECTS[3], "values": direction(9)}
    assert api.post(f"{STAFF}/embeddings", {"contract": "contract", "embeddings": [one]}).status_code == 201
    response = send(api, written(labelled), kind)
    assert (response.status_code, response.json()) == (201, {"enrolled": COUNT - 1, "already": 1})
    assert api.subjects() == SUBJECTS
    assert api.get(f"{STAFF}/subjects/{SUBJECTS[5]}").json()["faces"][0]["label"] == "a label"
    response = send(api, written(labelled), kind)
    assert (response.status_code, response.json()) == (200, {"enrolled": 0, "already": COUNT})


def test_an_export_names_its_contract() -> None:
    api, named = staff(), table().replace_schema_metadata({b"facegraph.collection": b'{"contract": "contract"}'})
    assert send(api, parquet(named), PARQUET, contract=None).status_code == 201
    for contract, metadata, expected in (
        (None, None, (400, "INVALID_REQUEST")),
        ("other", None, (409, "EMBEDDING_CONTRACT_MISMATCH")),
    ):
        assert refusal(send(api, arrow(table().replace_schema_metadata(metadata)), contract=contract)) == expected


def test_the_batches_before_an_error_are_enrolled_and_the_rest_when_it_is_sent_again(api: Api) -> None:
    response = send(api, arrow(table([*SUBJECTS[:17], " ", *SUBJECTS[18:]])))
    assert refusal(response) == (422, "INVALID_SUBJECT")
    error = response.json()["error"]
    assert error["message"].startswith("Row 17: ")
    assert error["message"].endswith("; the first 16 rows are enrolled")
    assert error["details"] == {"row": 17, "enrolled": 16, "already": 0}
    assert api.subjects() == SUBJECTS[:16]
    assert send(api, arrow(table())).json() == {"enrolled": 4, "already": 16}


@pytest.mark.parametrize("cut", [50, 400])
def test_a_cut_connection_leaves_whole_batches(cut: int) -> None:
    api, body = staff(), arrow(table())
    piece = {"type": "http.request", "body": body[:-cut], "more_body": True}
    pieces: list[Message] = [piece, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return pieces.pop(0)

    headers, query = [(b"content-type", ARROW.encode())], b"contract=contract"
    app: Any = api.client.app  # type: ignore[attr-defined]
    sent = asyncio.run(ask(app, receive, path=f"{STAFF}/import", query_string=query, headers=headers))
    assert sent[0]["status"] == 400
    enrolled = len(api.subjects())
    assert enrolled in (8, 16)
    assert send(api, body).json() == {"enrolled": COUNT - enrolled, "already": enrolled}


def test_a_full_disk_leaves_whole_batches(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    insert, calls = api.gallery.insert, list[str]()

    async def until_full(name: str, contract: str, faces: pa.RecordBatch) -> int:
        calls.append(name)
        if len(calls) == 2:
            raise RequestError("STORAGE_FULL", "The gallery's disk is full; the change was not made")
        return await insert(name, contract, faces)

    monkeypatch.setattr(api.gallery, "insert", until_full)
    response = send(api, arrow(table()))
    assert refusal(response) == (507, "STORAGE_FULL")
    assert response.json()["error"]["details"] == {"enrolled": 8, "already": 0}
    assert api.subjects() == SUBJECTS[:8]
    assert send(api, arrow(table())).json() == {"enrolled": 12, "already": 8}


def test_requests_that_are_refused(api: Api) -> None:
    for body, kind in ((b"{}", "application/json"), (b"x" * 100, ARROW), (b"", ARROW), (b"x", PARQUET)):
        assert refusal(send(api, body, kind)) == (400, "INVALID_REQUEST")
    assert refusal(api.client.post("/v1/collections/nobody/import", content=b"")) == (404, "COLLECTION_NOT_FOUND")
    small = Api(LimitArgs(max_import_size=100)).make()
    for kind in (ARROW, PARQUET):
        assert refusal(send(small, b"x" * 101, kind)) == (413, "BODY_TOO_LARGE")


def test_each_commit_has_a_line_in_the_audit_log(keyed: KeyedService) -> None:
    headers = keyed.key() | {"Content-Type": ARROW}
    keyed.ask("PUT", STAFF, headers=keyed.key(), json={})
    keyed.ask("POST", f"{STAFF}/import?contract=contract", headers, content=arrow(table([*SUBJECTS[:19], " "])))
    lines = [(entry["subjects"], entry["status"]) for entry in keyed.entries() if entry["action"] == "enrol"]
    assert lines == [(SUBJECTS[:8], 201), (SUBJECTS[8:16], 201), ([], 422)]
