"""The clients of the DeepFace service (seed 004), against the real one."""

import math
from typing import Any

import httpx
import pytest

from tests.contracts import nobody, text, with_bystander


def extract(service: httpx.Client, image: str, **fields: Any) -> httpx.Response:
    return service.post("/api/v1/extract-embedding", json={"image": image, **fields})


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


def refusal(response: httpx.Response) -> str:
    """The code of a documented error."""
    assert response.status_code == 400
    return str(response.json()["detail"]["code"])


def test_the_service_is_warmed_up(service: httpx.Client) -> None:
    found = service.post("/api/v1/warm-up").json()
    assert 0 < found.pop("load_time_seconds") < 5
    assert found == {"status": "loaded", "model": "mobilefacenet"}


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
    found = extract(service, text(mindy)).json()
    assert found["face_count"] == 1
    assert 0.9 < found["face_confidence"] <= 1
    area = found["facial_area"]
    assert (area["x"], area["y"]) == pytest.approx((113, 52), abs=10)
    assert (area["w"], area["h"]) == pytest.approx((107, 133), abs=10)
    assert (found["detector"], found["model"]) == ("centerface", "mobilefacenet")
    as_it_is = extract(service, text(mindy), align=False).json()["embedding"]
    cosine = sum(a * b for a, b in zip(found["embedding"], as_it_is, strict=True))
    assert 0.4 < cosine < 0.95


def test_without_enforcement_other_photos_are_embedded_too(service: httpx.Client, mindy: bytes, jerry: bytes) -> None:
    assert refusal(extract(service, text(nobody()))) == "NO_FACE_DETECTED"
    found = extract(service, text(nobody()), enforce_detection=False).json()
    assert (found["face_count"], found["face_confidence"]) == (0, 0.0)
    assert found["facial_area"] == {"x": 0, "y": 0, "w": 256, "h": 256}
    both = text(with_bystander(jerry, mindy))
    assert refusal(extract(service, both)) == "MULTIPLE_FACES_DETECTED"
    found = extract(service, both, enforce_detection=False).json()
    assert compare_faces(service, found["embedding"], extract_embedding(service, text(jerry))) is True


def test_the_services_own_network_is_not_fetched_from(service: httpx.Client) -> None:
    own = str(service.base_url.copy_with(host="127.0.0.2", path="/health"))
    assert refusal(extract(service, own, image_type="url")) == "DOWNLOAD_FAILED"


def test_a_page_of_another_site_may_call_this_contract(service: httpx.Client) -> None:
    page = {"origin": "https://vara.example", "access-control-request-headers": "content-type"}
    asked = service.options("/api/v1/extract-embedding", headers={**page, "access-control-request-method": "POST"})
    answered = service.post("/api/v1/compare-faces", json={}, headers=page)
    assert (asked.status_code, answered.status_code) == (200, 400)
    for response in (asked, answered):
        assert response.headers["access-control-allow-origin"] == "*"
