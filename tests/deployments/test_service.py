"""The service end to end, with real networks and a real gallery. Contracts have their own tests: `tests.contracts`."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.hostile import REQUESTS
from tests.contracts import photo_without_face, side_by_side
from tests.default_configuration import default_args
from tests.gallery.sample_gallery import HOSTILE

PROBES = {"ben_afflek": 4, "elton_john": 10, "jerry_seinfeld": 7, "madonna": 6, "mindy_kaling": 23}
"""By person, the number of the photo to search with. The first three photos are enrolled."""

SUBJECTS = [
    *HOSTILE,
    *("/", "//", "a/b", "trailing/", "a/../b", "a/./b", "%2F", "%00", "\n.", "a\r\nb", "+", "?x=1&y=2#z", "a;b"),
]
"""Subjects with characters that a proxy or a router could change in a path."""


def search(service: httpx.Client, collection: str, photo: bytes, **options: Any) -> list[list[Any]]:
    """The candidates for each face."""
    response = service.post(f"{collection}/search", files={"photo": photo}, params=options)
    assert response.status_code == 200
    return [face["candidates"] for face in response.json()["faces"]]


@pytest.fixture
def collection(service: httpx.Client) -> Iterator[str]:
    """The path of an empty collection."""
    path = f"/v1/collections/{uuid.uuid4().hex}"
    assert service.put(path, json={}).status_code == 201
    yield path
    assert service.delete(path, params={"with_faces": True}).status_code == 200


@pytest.mark.parametrize("detector", ["mtcnn", "mediapipe", "retinaface"])
def test_each_detector_finds_the_face(service: httpx.Client, detector: str, mindy: bytes) -> None:
    found = service.post(f"/v1/detect?detector={detector}&liveness=report", files={"photo": mindy}).json()
    assert (found["photo"]["width"], found["photo"]["height"]) == (360, 240)
    [face] = found["faces"]
    assert face["landmarks"]["left_eye"] == pytest.approx([146, 107], abs=6)
    assert face["liveness"]["live"] is True


def test_search_finds_people_in_other_photos(service: httpx.Client, collection: str, sample_photos: Path) -> None:
    people = {name: [path.read_bytes() for path in sorted((sample_photos / name).iterdir())] for name in PROBES}
    for name, photos in people.items():
        files = [("photo", photo) for photo in photos[:3]]
        assert service.post(f"{collection}/faces", data={"subject": name}, files=files).json()["enrolled"] == 3
    for name, number in PROBES.items():
        [[first, *others]] = search(service, collection, people[name][number], threshold=-1)
        assert (first["subject"], first["similarity"] > 0.7) == (name, True)
        assert {each["subject"] for each in others} == PROBES.keys() - {name}
        assert all(each["similarity"] < 0.4 for each in others)
    both = side_by_side(people["mindy_kaling"][0], people["jerry_seinfeld"][0])
    assert sorted(each["subject"] for [each] in search(service, collection, both)) == ["jerry_seinfeld", "mindy_kaling"]
    assert search(service, collection, photo_without_face()) == []
    assert service.delete(f"{collection}/subjects/madonna").json() == {"deleted_faces": 3}
    assert search(service, collection, people["madonna"][0]) == [[]]


def test_subject_of_any_characters_can_stand_in_a_path(service: httpx.Client, collection: str, mindy: bytes) -> None:
    files = [("photo", mindy)] * len(SUBJECTS)
    enrolled = service.post(f"{collection}/faces", data={"subject": SUBJECTS}, files=files).json()["enrolled"]
    assert enrolled == len(SUBJECTS)
    for subject in SUBJECTS:
        path = f"{collection}/subjects/{quote(subject, safe='')}"
        assert service.get(path).json()["id"] == subject
        assert service.delete(path).json() == {"deleted_faces": 1}
    assert service.get(collection).json()["faces"] == 0


def test_hostile_requests_are_refused_in_json(service: httpx.Client) -> None:
    for hostile in REQUESTS:
        answer = service.request(hostile.method, hostile.path, headers=hostile.headers, content=hostile.content)
        assert 400 <= answer.status_code < 500, hostile.name
        assert answer.headers["content-type"].startswith("application/json"), hostile.name
        assert isinstance(answer.json(), dict), hostile.name
    health = service.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "healthy")


def test_websocket_upgrade_is_answered_as_http_with_one_request_id(service: httpx.Client) -> None:
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    own = {"X-Request-ID": "my-own-id"}
    answer = service.get("/nowhere", headers={"Connection": "upgrade", "Upgrade": "websocket", **key, **own})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert answer.headers.get_list("x-request-id") == [answer.json()["request_id"]] == ["my-own-id"]


def test_service_reports_all_stages(service: httpx.Client) -> None:
    stages = {stage["deployment"]: stage for stage in service.get("/v1/status").json()["stages"]}
    names = [f"{stage.card.task}-{role}" for role, stage in default_args().stages.items()]
    assert list(stages) == [*names, "gallery-writer", "gallery-reader", "ingress"]
    assert service.get("/readyz").json()["ready"] is True
    for stage in stages.values():
        assert stage["ready"] is True
        assert min(stage["replicas"]["running"], stage["replicas"]["wanted"]) >= 1
    assert stages["embedder-arcface"]["model"] == "mobilefacenet"
    assert stages["ingress"]["calls"]["ongoing"] >= 1
