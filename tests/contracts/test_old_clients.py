"""The clients of the replaced services, against the real one.

They are those of facematch, the face database, face comparison, FaceNet and DeepFace.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from models.catalogue import card
from tests.contracts import photo_without_face, side_by_side, text, with_bystander
from tests.models.site import served


@pytest.fixture(scope="module")
def site(mindy: bytes, mindy_again: bytes, jerry: bytes) -> Iterator[str]:
    """The address of a site with photos."""
    with served() as site:
        site.files |= {"/face1.jpg": mindy, "/face2.jpg": mindy_again, "/both.png": side_by_side(mindy, jerry)}
        yield site.url


def data_url(photo: bytes) -> str:
    return f"data:image/jpeg;base64,{text(photo)}"


def python_client(service: httpx.Client, image1: str, image2: str, threshold: float) -> str:
    """The Python client in the document. Returns the text that it prints."""
    response = service.post("/match", json={"image1": image1, "image2": image2, "threshold": threshold})
    result = response.json()
    if result["success"]:
        if result["match"]:
            return f"MATCH! Similarity: {result['similarity_score']:.3f}"
        return f"NO MATCH. Similarity: {result['similarity_score']:.3f}"
    return f"Error: {result['error']}"


def test_facematch_in_python_tells_people_apart(
    service: httpx.Client, site: str, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    face = f"{site}/face1.jpg"
    assert python_client(service, face, data_url(mindy_again), 0.7).startswith("MATCH! Similarity: 0.7")
    for same in (data_url(mindy), text(mindy)):
        assert python_client(service, face, same, 0.7) == "MATCH! Similarity: 1.000"
    assert python_client(service, face, data_url(jerry), 0.7).startswith("NO MATCH. Similarity: -0.")
    for image, problem in (
        (data_url(photo_without_face()), "face detection failed: No face detected"),
        (f"{site}/both.png", "face detection failed: Multiple faces detected (2). Exactly one face is required"),
        (f"{site}/nowhere.jpg", "could not be loaded: The URL returned status 404"),
        ("http://10.0.0.1/face.jpg", "could not be loaded: The URL resolves to a non-public IP address"),
    ):
        assert python_client(service, face, image, 0.7) == f"Error: Image2 {problem}"


def test_facematch_by_curl_finds_two_live_faces(service: httpx.Client, site: str) -> None:
    """`curl -X POST http://localhost:8000/match -H "Content-Type: application/json" -d BODY`."""
    body = f"""{{
    "image1": "{site}/face1.jpg",
    "image2": "{site}/face2.jpg",
    "threshold": 0.6
  }}"""
    response = service.post("/match", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200
    found = response.json()
    assert (found["success"], found["match"], found["threshold"]) == (True, True, 0.6)
    for image in ("image1", "image2"):
        assert found["liveness_results"][image]["is_live"] is True
        assert 0.5 < found["liveness_results"][image]["liveness_score"] <= 1
        assert found["face_detection_results"][image]["face_count"] == 1
        assert 0.9 < found["face_detection_results"][image]["confidence"] <= 1
    for quality in found["recognition_results"]["embedding_quality"].values():
        assert quality["embedding_norm"] == pytest.approx(1, abs=1e-4)


THRESHOLDS = {"facenet": 0.7, "arcface": 0.75}
JOHN = "john/doe 😀"
"""An id that a proxy or a router could change in a path."""


@dataclass(frozen=True)
class Database:
    """One variant, as a client chooses it: arcface by default."""

    service: httpx.Client
    variant: str
    form: dict[str, str]

    def add_face(self, face_id: str, photo: bytes) -> httpx.Response:
        """`curl -X POST .../add_face -F "id=john_doe" -F "file=@path/to/john.jpg"`."""
        data, files = {"id": face_id, **self.form}, {"file": ("john.jpg", photo, "image/jpeg")}
        return self.service.post("/add_face", data=data, files=files)

    def match_face(self, photo: bytes) -> httpx.Response:
        """`curl -X POST .../match_face -F "file=@path/to/query.jpg"`."""
        files = {"file": ("query.jpg", photo, "image/jpeg")}
        return self.service.post("/match_face", data=self.form, files=files)

    def found(self, photo: bytes) -> Any:
        response = self.match_face(photo)
        assert response.status_code == 200
        return response.json()

    def ids(self) -> list[str]:
        """`curl -X GET .../list_faces`."""
        listed = self.service.get("/list_faces", params={"model": self.variant}).json()
        assert listed["total_faces"] == len(listed["faces"])
        return [face["id"] for face in listed["faces"]]

    def delete_face(self, face_id: str) -> httpx.Response:
        """`curl -X DELETE .../delete_face/jane_smith`."""
        return self.service.delete(f"/delete_face/{quote(face_id, safe='')}", params={"model": self.variant})


@pytest.fixture(params=[("arcface", {}), ("facenet", {"model": "facenet"})], ids=["arcface", "facenet"])
def database(service: httpx.Client, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A variant's database, empty before and after a test."""
    made = Database(service, *request.param)
    assert made.ids() == []
    yield made
    for face_id in made.ids():
        assert made.delete_face(face_id).status_code == 200


def test_the_face_database_adds_finds_and_deletes_faces(
    database: Database, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    threshold = THRESHOLDS[database.variant]
    assert database.add_face("jane_smith", mindy).status_code == 200
    stranger = database.found(jerry)
    assert (stranger["match_found"], stranger["threshold"]) == (False, threshold)
    assert stranger["similarity_score"] < 0.3
    assert database.add_face(JOHN, with_bystander(jerry, mindy)).status_code == 200
    assert database.ids() == ["jane_smith", JOHN]
    for photo, face_id in ((mindy, "jane_smith"), (jerry, JOHN)):
        found = database.found(photo)
        assert (found["match_found"], found["matched_id"]) == (True, face_id)
        assert threshold < found["similarity_score"] < 1.001
    again = database.found(mindy_again)
    # Facenet's threshold is below the similarity, arcface's above it.
    assert 0.7 < again["similarity_score"] < 0.8
    assert again["match_found"] is (database.variant == "facenet")
    assert database.delete_face(JOHN).json()["remaining_faces"] == 1


COMPARING = pytest.mark.parametrize("route", ["/compare", "/mediapipe"])
DETECTORS = {"/compare": "mtcnn", "/mediapipe": "mediapipe-full-range"}


def compared_at(service: httpx.Client, route: str, first: bytes, second: bytes) -> Any:
    response = service.post(route, json={"image1_base64": text(first), "image2_base64": text(second)})
    assert response.status_code == 200
    return response.json()


@COMPARING
def test_face_comparison_tells_people_apart(
    service: httpx.Client, route: str, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    same, different = compared_at(service, route, mindy, mindy_again), compared_at(service, route, mindy, jerry)
    assert (same["match"], different["match"]) == (True, False)
    assert 0.65 < same["similarity"] < 0.8
    assert different["similarity"] < 0.2
    assert 0 < same["image1_metrics"]["detection_time_ms"] < same["total_processing_time_ms"]
    assert same["models"] == {"detector": DETECTORS[route], "embedder": "facenet"}
    both = with_bystander(jerry, mindy)
    assert compared_at(service, route, both, jerry)["match"] is True
    assert compared_at(service, route, both, mindy)["match"] is False


def upload(service: httpx.Client, route: str, photo: bytes) -> httpx.Response:
    """`curl -F image=@face.jpg`."""
    return service.post(route, files={"image": ("face.jpg", photo, "image/jpeg")})


def embedding(service: httpx.Client, photo: bytes) -> list[float]:
    response = upload(service, "/extract-embedding", photo)
    assert response.status_code == 200
    numbers: list[float] = response.json()["embedding"]
    return numbers


def compare_embeddings(service: httpx.Client, first: list[float], second: list[float]) -> Any:
    response = service.post("/compare-faces", json={"embedding1": first, "embedding2": second})
    assert response.status_code == 200
    return response.json()


def test_facenet_finds_and_counts_faces(service: httpx.Client, mindy: bytes, jerry: bytes) -> None:
    found = upload(service, "/detect-face", mindy).json()
    assert 0.99 < found.pop("confidence") <= 1
    assert found == {"face_detected": True, "num_faces": 1, "message": "Found 1 face(s)"}
    assert upload(service, "/detect-face", side_by_side(mindy, jerry)).json()["num_faces"] == 2
    assert upload(service, "/detect-face", photo_without_face()).status_code == 400


def test_facenet_embeddings_tell_people_apart(
    service: httpx.Client, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    first, again, other = (embedding(service, photo) for photo in (mindy, mindy_again, jerry))
    assert len(first) == 512
    assert math.hypot(*first) == pytest.approx(1, abs=1e-4)
    same, different = compare_embeddings(service, first, again), compare_embeddings(service, first, other)
    assert (same["match"], different["match"]) == (True, False)
    assert same["cosine_similarity"] > card("facenet").threshold("cosine").value > 0.2 > different["cosine_similarity"]
    assert same["euclidean_distance"] < 1.0 < different["euclidean_distance"]
    prominent = embedding(service, with_bystander(jerry, mindy))
    assert compare_embeddings(service, prominent, other)["cosine_similarity"] > 0.95


def extract_embedding(service: httpx.Client, image_base64: str) -> list[float]:
    """`extractEmbedding` of the document's TypeScript."""
    response = service.post(
        "/api/v1/extract-embedding",
        json={"image": image_base64, "image_type": "base64", "enforce_detection": True, "align": True},
    )
    response.raise_for_status()
    embedding: list[float] = response.json()["embedding"]
    return embedding


def compare_faces(service: httpx.Client, emb1: list[float], emb2: list[float]) -> bool:
    """`compareFaces` of the document's TypeScript."""
    response = service.post(
        "/api/v1/compare-faces", json={"embedding1": emb1, "embedding2": emb2, "distance_metric": "cosine"}
    )
    response.raise_for_status()
    is_same_person: bool = response.json()["is_same_person"]
    return is_same_person


def test_deepface_in_typescript_tells_people_apart(
    service: httpx.Client, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    first, second, other = (extract_embedding(service, text(photo)) for photo in (mindy, mindy_again, jerry))
    assert len(first) == 512
    assert math.hypot(*first) == pytest.approx(1, abs=1e-4)
    assert compare_faces(service, first, second) is True
    assert compare_faces(service, first, other) is False
    for embedding, same in ((second, True), (other, False)):
        body = {"embedding1": first, "embedding2": embedding, "distance_metric": "euclidean_l2"}
        assert service.post("/api/v1/compare-faces", json=body).json()["is_same_person"] is same


def test_deepface_gives_a_faces_place_and_confidence(service: httpx.Client, mindy: bytes) -> None:
    found, as_it_is = (
        service.post("/api/v1/extract-embedding", json={"image": text(mindy), "align": align}).json()
        for align in (True, False)
    )
    assert found["face_count"] == 1
    assert 0.9 < found["face_confidence"] <= 1
    area = found["facial_area"]
    assert (area["x"], area["y"]) == pytest.approx((113, 52), abs=10)
    assert (area["w"], area["h"]) == pytest.approx((107, 133), abs=10)
    assert (found["detector"], found["model"]) == ("centerface", "mobilefacenet")
    cosine = sum(a * b for a, b in zip(found["embedding"], as_it_is["embedding"], strict=True))
    assert 0.4 < cosine < 0.95
