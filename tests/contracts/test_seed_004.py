"""The clients of the DeepFace service (seed 004), against the real one."""

import math

import httpx
import pytest

from tests.contracts import text


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


def test_the_documented_client_tells_people_apart(
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


def test_a_face_has_its_place_and_confidence(service: httpx.Client, mindy: bytes) -> None:
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
