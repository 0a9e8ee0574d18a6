"""/v1 end to end: through the real proxy, with real photos, networks and a real gallery."""

import io
import itertools
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import PIL.Image
import pytest

from api.settings import LimitArgs
from models.catalogue import card
from tests.contracts import nobody, side_by_side

PROBES = {"ben_afflek": 4, "elton_john": 10, "jerry_seinfeld": 7, "madonna": 6, "mindy_kaling": 23}
"""A person's photo that is searched with, where the first three are enrolled: its place by name."""

HOSTILE = [
    *("'", "'; DROP TABLE faces; --", '"quoted"', "/", "//", "a/b", "/leading", "trailing/", "../", "a/../b", "a/./b"),
    *("%", "%2F", "%00", "\0.", "a\0b", "\n.", "a\n", "a\r\nb", " .", " padded ", "+", "?x=1&y=2#z", "a;b", "\\", "é"),
    *("e\u0301", "\u202eetihw", "😀👩\u200d🚀", "delete", "$" * 512, "😀" * 512),
]


def file(photo: bytes, name: str = "photo.jpg") -> tuple[str, bytes, str]:
    return name, photo, "image/jpeg"


def enrol(
    service: httpx.Client, collection: str, subjects: str | list[str], photos: Iterable[bytes], **headers: str
) -> httpx.Response:
    files = [("photo", file(photo, f"{number}.jpg")) for number, photo in enumerate(photos)]
    return service.post(f"{collection}/faces", data={"subject": subjects}, files=files, headers=headers)


def search(service: httpx.Client, collection: str, photo: bytes, **options: Any) -> list[list[Any]]:
    """The candidates of each face."""
    response = service.post(f"{collection}/search", files={"photo": file(photo)}, params=options)
    assert response.status_code == 200
    return [face["candidates"] for face in response.json()["faces"]]


def statuses(response: httpx.Response) -> list[str]:
    return [photo["status"] for photo in response.json()["photos"]]


def subjects_of(service: httpx.Client, collection: str, limit: int = 1000) -> list[str]:
    """Every subject, read a page at a time."""
    listed, after = list[str](), ""
    while True:
        page = service.get(f"{collection}/subjects", params={"limit": limit, "after": after}).json()
        listed += [each["id"] for each in page["subjects"]]
        if page["next"] is None:
            return listed
        assert (len(page["subjects"]), page["next"]) == (limit, listed[-1])
        after = page["next"]


def refusal(response: httpx.Response, status: int, code: str) -> str:
    """The message of an error in the one envelope, whose request id is the header's."""
    assert response.status_code == status
    body = response.json()
    assert body["error"].keys() == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert body.keys() == {"error", "request_id"}
    assert response.headers.get_list("x-request-id") == [body["request_id"]]
    return str(body["error"]["message"])


@pytest.fixture(scope="module")
def people(sample_photos: Path) -> dict[str, list[bytes]]:
    """The photos of each person."""
    return {name: [path.read_bytes() for path in sorted((sample_photos / name).iterdir())] for name in PROBES}


@pytest.fixture
def collection(service: httpx.Client) -> Iterator[str]:
    """The path of an empty collection."""
    path = f"/v1/collections/{uuid.uuid4().hex}"
    assert service.put(path, json={}).status_code == 201
    yield path
    assert service.delete(path, params={"with_faces": True}).status_code == 200


@pytest.fixture(scope="module")
def crowd(service: httpx.Client, people: dict[str, list[bytes]]) -> Iterator[str]:
    """The path of a collection with three photos of each person; it is not changed."""
    path = "/v1/collections/crowd"
    assert service.put(path, json={}).status_code == 201
    for name, photos in people.items():
        assert statuses(enrol(service, path, name, photos[:3])) == ["enrolled"] * 3
    yield path
    assert service.delete(path, params={"with_faces": True}).json() == {"name": "crowd"}


@pytest.mark.parametrize("detector", ["mtcnn", "mediapipe", "retinaface"])
def test_a_face_is_found_in_its_place(service: httpx.Client, detector: str, mindy: bytes) -> None:
    found = service.post(f"/v1/detect?detector={detector}&liveness=report", files={"photo": file(mindy)}).json()
    assert (found["photo"]["width"], found["photo"]["height"]) == (360, 240)
    [face] = found["faces"]
    assert face["box"]["left"] == pytest.approx(113, abs=15)
    assert face["box"]["top"] == pytest.approx(52, abs=35)
    assert face["landmarks"]["left_eye"] == pytest.approx([146, 107], abs=6)
    assert face["landmarks"]["right_eye"] == pytest.approx([194, 104], abs=6)
    assert face["liveness"]["live"] is True


@pytest.mark.parametrize(("embedder", "model"), [("arcface", "mobilefacenet"), ("facenet", "facenet")])
def test_embeddings_compare_as_their_photos_verify(
    service: httpx.Client, embedder: str, model: str, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    def embedding(photo: bytes) -> Any:
        [face] = service.post(f"/v1/embed?embedder={embedder}", files={"photo": file(photo)}).json()["faces"]
        return face["embedding"]

    threshold = card(model).threshold("cosine").value
    for other, match in ((mindy_again, True), (jerry, False)):
        photos = {"photo1": file(mindy), "photo2": file(other)}
        verified = service.post(f"/v1/verify?embedder={embedder}", files=photos).json()
        body = {"embedding1": embedding(mindy), "embedding2": embedding(other)}
        compared = service.post("/v1/compare", json=body).json()
        assert verified["match"] is compared["match"] is match
        assert verified["threshold"] == compared["threshold"] == {"value": threshold, "source": "card"}
        assert compared["value"] == pytest.approx(verified["value"], abs=1e-4)
        euclidean = service.post(f"/v1/verify?embedder={embedder}&metric=euclidean", files=photos).json()
        assert (euclidean["match"], euclidean["metric"]) == (match, "euclidean")
        assert euclidean["value"] ** 2 == pytest.approx(2 - 2 * verified["value"], abs=1e-4)


def test_another_photo_of_a_person_finds_them_first(
    service: httpx.Client, crowd: str, people: dict[str, list[bytes]]
) -> None:
    for name, place in PROBES.items():
        [[first, *others]] = search(service, crowd, people[name][place], threshold=-1)
        assert first["subject"] == name
        assert first["similarity"] > 0.7
        assert {each["subject"] for each in others} == PROBES.keys() - {name}
        assert all(each["similarity"] < 0.4 for each in others)
        assert search(service, crowd, people[name][place]) == [[first]]


def test_both_people_of_a_photo_are_found(service: httpx.Client, crowd: str, mindy: bytes, jerry: bytes) -> None:
    found = search(service, crowd, side_by_side(mindy, jerry))
    assert sorted(each["subject"] for [each] in found) == ["jerry_seinfeld", "mindy_kaling"]
    assert search(service, crowd, nobody()) == []


def test_pages_have_every_subject_once(service: httpx.Client, crowd: str) -> None:
    for limit in (2, 5, 1000):
        assert subjects_of(service, crowd, limit) == sorted(PROBES)
    faces = service.get(f"{crowd}/subjects/madonna").json()
    assert sorted(face["label"] for face in faces["faces"]) == ["0.jpg", "1.jpg", "2.jpg"]
    told = service.get(crowd).json()
    assert (told["faces"], told["subjects"]) == (15, 5)


def test_one_refused_photo_does_not_keep_the_others_out(
    service: httpx.Client, collection: str, mindy: bytes, jerry: bytes
) -> None:
    photos = [mindy, nobody(), jerry, side_by_side(mindy, jerry), b"no photo"]
    response = enrol(service, collection, ["mindy", "nobody", "jerry", "both", "broken"], photos)
    assert (response.status_code, response.json()["enrolled"], response.json()["refused"]) == (201, 2, 3)
    errors = [photo["error"] and photo["error"]["code"] for photo in response.json()["photos"]]
    assert errors == [None, "NO_FACE_DETECTED", None, "MULTIPLE_FACES_DETECTED", "INVALID_IMAGE"]
    assert subjects_of(service, collection) == ["jerry", "mindy"]
    response = enrol(service, collection, "nobody", [nobody(), b"no photo"])
    refusal(response, 422, "NO_FACE_DETECTED")
    assert len(response.json()["error"]["details"]["photos"]) == 2


def test_nobody_finds_a_deleted_subject(
    service: httpx.Client, collection: str, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    assert enrol(service, collection, ["mindy", "mindy", "jerry"], [mindy, mindy_again, jerry]).status_code == 201
    [[found]] = search(service, collection, mindy)
    assert found["similarity"] > 0.99
    assert service.delete(f"{collection}/faces/{found['face_id']}").json() == {"deleted_faces": 1}
    [[other]] = search(service, collection, mindy)
    assert (other["subject"], other["similarity"] < 0.9) == ("mindy", True)
    assert service.delete(f"{collection}/subjects/mindy").json() == {"deleted_faces": 1}
    assert search(service, collection, mindy) == search(service, collection, mindy_again) == [[]]
    assert search(service, collection, jerry)[0][0]["subject"] == "jerry"
    refusal(service.delete(f"{collection}/subjects/mindy"), 404, "SUBJECT_NOT_FOUND")


def test_a_request_that_is_sent_again_undoes_no_deletion(
    service: httpx.Client, collection: str, mindy: bytes, jerry: bytes
) -> None:
    def send(*photos: bytes) -> httpx.Response:
        return enrol(service, collection, ["mindy", "jerry"], photos, **{"Idempotency-Key": "once"})

    first, again = send(mindy, jerry), send(mindy, jerry)
    assert (first.status_code, statuses(first)) == (201, ["enrolled", "enrolled"])
    assert (again.status_code, statuses(again)) == (200, ["already", "already"])
    assert service.delete(f"{collection}/subjects/mindy").status_code == 200
    assert statuses(send(mindy, jerry)) == ["deleted", "already"]
    assert subjects_of(service, collection) == ["jerry"]
    refusal(send(jerry, mindy), 409, "IDEMPOTENCY_KEY_REUSED")


def test_a_hostile_id_is_its_own_subject_and_no_other(service: httpx.Client, collection: str, mindy: bytes) -> None:
    # The last two httpx, as every browser, would take out of an address.
    ids = [*HOSTILE, ".", ".."]
    assert statuses(enrol(service, collection, ids, [mindy] * len(ids))) == ["enrolled"] * len(ids)
    left = sorted(ids)
    assert subjects_of(service, collection, 3) == left
    for subject in ids:
        path = f"{collection}/subjects/{quote(subject, safe='')}"
        if subject in HOSTILE:
            assert service.get(path).json()["id"] == subject
            assert service.delete(path).json() == {"deleted_faces": 1}
            refusal(service.get(path), 404, "SUBJECT_NOT_FOUND")
        for count in (int(subject not in HOSTILE), 0):
            response = service.post(f"{collection}/subjects/delete", json={"ids": [subject]})
            assert response.json() == {"deleted_faces": count}
        left.remove(subject)
        assert subjects_of(service, collection) == left


@pytest.mark.parametrize("given", [{}, {"x-request-id": "my-own-id"}])
def test_every_error_has_the_one_envelope(service: httpx.Client, given: dict[str, str], mindy: bytes) -> None:
    photo, xml = {"photo": file(mindy)}, {"content-type": "text/xml"}
    cases: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("GET", "/v1/nowhere", {}, 404, "NOT_FOUND"),
        ("GET", "/v1/collections/nowhere", {}, 404, "COLLECTION_NOT_FOUND"),
        ("DELETE", "/v1/detect", {}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/detect?detektor=mtcnn", {"files": photo}, 400, "INVALID_REQUEST"),
        ("POST", "/v1/detect?detector=yolo", {"files": photo}, 422, "UNKNOWN_DETECTOR"),
        ("POST", "/v1/detect", {"files": {"photo": file(b"no photo")}}, 422, "INVALID_IMAGE"),
        ("POST", "/v1/verify", {"files": {"photo1": file(mindy), "photo2": file(nobody())}}, 422, "NO_FACE_DETECTED"),
        ("POST", "/v1/compare", {"content": b'{"embedding1": '}, 400, "INVALID_REQUEST"),
        ("POST", "/v1/detect", {"content": mindy, "headers": {"content-type": "image/jpeg"}}, 400, "INVALID_REQUEST"),
        ("POST", "/v1/compare", {"data": {"embedding1": "x"}}, 400, "INVALID_REQUEST"),
        ("POST", "/v1/compare", {"content": b"{}", "headers": xml}, 400, "INVALID_REQUEST"),
    ]
    for method, path, sent, status, code in cases:
        response = service.request(method, path, **{**sent, "headers": given | sent.get("headers", {})})
        refusal(response, status, code)
        assert response.headers["x-request-id"] == given.get("x-request-id", response.headers["x-request-id"])


def test_too_large_a_body_is_a_413(service: httpx.Client) -> None:
    limits = LimitArgs()
    told = f"The request has more than the {limits.max_body} bytes that are accepted"
    response = service.post("/v1/detect", files={"photo": file(bytes(limits.max_body))})
    assert refusal(response, 413, "BODY_TOO_LARGE") == told
    # Without a declared length.
    pieces = itertools.repeat(bytes(2**20), limits.max_body // 2**20 + 1)
    response = service.post("/v1/compare", content=pieces, headers={"content-type": "application/json"})
    assert refusal(response, 413, "BODY_TOO_LARGE") == told
    refusal(service.post("/v1/detect", files={"photo": file(bytes(limits.max_image_size + 1))}), 422, "IMAGE_TOO_LARGE")


def test_a_request_has_64_photos_at_most(service: httpx.Client, collection: str, mindy: bytes) -> None:
    photos, image = list[bytes](), PIL.Image.open(io.BytesIO(mindy)).resize((180, 120))
    for quality in range(30, 94):
        small = io.BytesIO()
        image.save(small, "JPEG", quality=quality)
        photos.append(small.getvalue())
    response = enrol(service, collection, "mindy", photos)
    assert (response.status_code, response.json()["enrolled"]) == (201, 64)
    assert [photo["label"] for photo in response.json()["photos"]] == [f"{number}.jpg" for number in range(64)]
    assert service.get(collection).json()["faces"] == 64
    refusal(enrol(service, collection, "mindy", [*photos, mindy]), 400, "INVALID_REQUEST")


def test_many_clients_enrol_and_delete_at_once(service: httpx.Client, people: dict[str, list[bytes]]) -> None:
    """Of eight clients, each adds two subjects of each of the five people through the older contract."""
    owners = {f"{client}/{name}/{n}": name for client in range(8) for n in range(2) for name in PROBES}
    sent = {each: {"file": file(people[name][0])} for each, name in owners.items()}
    clients = [[each for each in owners if each.startswith(f"{client}/")] for client in range(8)]

    def add(ids: list[str]) -> set[int]:
        return {service.post("/add_face", data={"id": each}, files=sent[each]).status_code for each in ids}

    def delete(ids: list[str]) -> set[int]:
        return {service.delete(f"/delete_face/{quote(each, safe='')}").status_code for each in ids}

    def listed() -> set[str]:
        return {face["id"] for face in service.get("/list_faces").json()["faces"]}

    def match(photo: bytes) -> Any:
        return service.post("/match_face", files={"file": file(photo)}).json()

    assert listed() == set()
    with ThreadPoolExecutor(8) as pool:
        assert set.union(*pool.map(add, clients)) == {200}
        assert listed() == owners.keys()
        for name, photos in people.items():
            [found] = search(service, "/v1/collections/faces-arcface", photos[0], top_k=100, threshold=0.9)
            assert {each["subject"] for each in found} == {each for each, owner in owners.items() if owner == name}
            assert owners[match(photos[0])["matched_id"]] == name
        assert set.union(*pool.map(delete, clients)) == {200}
    assert listed() == set()
    assert not any(match(photos[0])["match_found"] for photos in people.values())
