"""The clients of the DeepFace service (seed 004), against the real one."""

import math
from typing import Any

import httpx
import pytest

from models.catalogue import card
from tests.contracts import nobody, text, with_bystander

PAGE = {"origin": "https://vara.example"}


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
    detail = response.json()["detail"]
    assert detail.keys() == {"code", "message"}
    return str(detail["code"])


def test_the_health_is_told(service: httpx.Client) -> None:
    response = service.get("/api/v1/health")
    assert response.status_code == 200
    found = response.json()
    assert found.pop("version")
    assert found == {
        "status": "healthy",
        "model": "mobilefacenet",
        "embedding_dimensions": 512,
        "network_dimensions": 192,
        "model_loaded": True,
    }


def test_the_service_is_warmed_up(service: httpx.Client) -> None:
    response = service.post("/api/v1/warm-up")
    assert response.status_code == 200
    found = response.json()
    assert 0 < found.pop("load_time_seconds") < 5
    assert found == {"status": "loaded", "model": "mobilefacenet"}


def test_the_model_is_described(service: httpx.Client) -> None:
    entry = card("mobilefacenet")
    assert service.get("/api/v1/model-info").json() == {
        "model": "mobilefacenet",
        "title": entry.title,
        "licence": entry.licence,
        "embedding_dimensions": 512,
        "network_dimensions": 192,
        "embedding_contract": entry.embedding_contract,
        "cosine_threshold": entry.threshold("cosine").value,
        "detector": "centerface",
        "distance_metrics": ["cosine", "euclidean", "euclidean_l2"],
        "thresholds": {"cosine": 0.68, "euclidean": 4.15, "euclidean_l2": 1.13},
    }


def test_the_documented_client_tells_people_apart(
    service: httpx.Client, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    first, second, other = (extract_embedding(service, text(photo)) for photo in (mindy, mindy_again, jerry))
    assert len(first) == 512
    assert math.hypot(*first) == pytest.approx(1, abs=1e-4)
    assert compare_faces(service, first, second) is True
    assert compare_faces(service, first, other) is False


def test_a_face_has_its_place_and_confidence(service: httpx.Client, mindy: bytes) -> None:
    found = extract(service, text(mindy)).json()
    assert found["face_count"] == 1
    assert 0.9 < found["face_confidence"] <= 1
    area = found["facial_area"]
    assert area.keys() == {"x", "y", "w", "h"}
    assert (area["x"], area["y"]) == pytest.approx((113, 52), abs=10)
    assert (area["w"], area["h"]) == pytest.approx((107, 133), abs=10)
    assert 0 < found["processing_time_ms"] < 30_000
    assert (found["detector"], found["model"]) == ("centerface", "mobilefacenet")


@pytest.mark.parametrize(("metric", "default"), [("cosine", 0.68), ("euclidean_l2", 1.13)])
def test_the_normalised_metrics_tell_people_apart(
    service: httpx.Client, metric: str, default: float, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    first, second, other = (extract_embedding(service, text(photo)) for photo in (mindy, mindy_again, jerry))

    def compare(emb2: list[float]) -> Any:
        body = {"embedding1": first, "embedding2": emb2, "distance_metric": metric}
        return service.post("/api/v1/compare-faces", json=body).json()

    same, different = compare(second), compare(other)
    assert (same["is_same_person"], different["is_same_person"]) == (True, False)
    assert same["threshold_used"] == different["threshold_used"] == default
    assert same["confidence"] == pytest.approx(1 - same["distance"] / default)
    assert different["confidence"] == 0
    assert same["similarity"] > 0.65 > 0.2 > different["similarity"]


def test_a_threshold_of_the_request_decides(service: httpx.Client, mindy: bytes, mindy_again: bytes) -> None:
    first, second = (extract_embedding(service, text(photo)) for photo in (mindy, mindy_again))
    body = {"embedding1": first, "embedding2": second, "threshold": 0.1, "distance_metric": "cosine"}
    found = service.post("/api/v1/compare-faces", json=body).json()
    assert (found["is_same_person"], found["threshold_used"]) == (False, 0.1)


def test_a_face_that_is_not_aligned_has_another_embedding(service: httpx.Client, mindy: bytes) -> None:
    upright, as_it_is = (extract(service, text(mindy), align=align).json()["embedding"] for align in (True, False))
    cosine = sum(a * b for a, b in zip(upright, as_it_is, strict=True))
    assert 0.4 < cosine < 0.95


def test_a_photo_of_nobody_is_refused_or_embedded_whole(service: httpx.Client) -> None:
    assert refusal(extract(service, text(nobody()), enforce_detection=True)) == "NO_FACE_DETECTED"
    found = extract(service, text(nobody()), enforce_detection=False).json()
    assert (found["face_count"], found["face_confidence"]) == (0, 0.0)
    assert found["facial_area"] == {"x": 0, "y": 0, "w": 256, "h": 256}
    assert len(found["embedding"]) == 512


def test_a_photo_of_two_people_is_refused_or_the_prominent_face_embedded(
    service: httpx.Client, mindy: bytes, jerry: bytes
) -> None:
    both = text(with_bystander(jerry, mindy))
    assert refusal(extract(service, both, enforce_detection=True)) == "MULTIPLE_FACES_DETECTED"
    found = extract(service, both, enforce_detection=False).json()
    assert found["face_count"] == 1
    assert compare_faces(service, found["embedding"], extract_embedding(service, text(jerry))) is True


def test_embeddings_of_two_networks_are_refused(service: httpx.Client, mindy: bytes) -> None:
    other = service.post("/extract-embedding", files={"image": ("face.jpg", mindy, "image/jpeg")}).json()["embedding"]
    body = {"embedding1": extract_embedding(service, text(mindy)), "embedding2": other}
    assert refusal(service.post("/api/v1/compare-faces", json=body)) == "INVALID_REQUEST"


def test_what_is_no_photo_is_an_invalid_image(service: httpx.Client, mindy: bytes) -> None:
    for image in ("<base64-encoded-image>", text(b"no photo at all"), text(mindy[: len(mindy) // 2])):
        assert refusal(extract(service, image, image_type="base64")) == "INVALID_IMAGE"


def test_what_cannot_be_fetched_is_a_failed_download(service: httpx.Client) -> None:
    for image in ("https://nowhere.invalid/face.jpg", "face.jpg"):
        assert refusal(extract(service, image, image_type="url")) == "DOWNLOAD_FAILED"


def test_the_services_own_network_is_not_fetched_from(service: httpx.Client) -> None:
    own = str(service.base_url.copy_with(host="127.0.0.2", path="/health"))
    assert refusal(extract(service, own, image_type="url")) == "DOWNLOAD_FAILED"


def test_a_page_of_another_site_may_call_this_contract_and_no_other(service: httpx.Client) -> None:
    asks = {**PAGE, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    response = service.options("/api/v1/extract-embedding", headers=asks)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    response = service.post("/api/v1/compare-faces", json={}, headers=PAGE)
    assert response.status_code == 400
    assert response.headers["access-control-allow-origin"] == "*"
    for path in ("/", "/health"):
        assert "access-control-allow-origin" not in service.get(path, headers=PAGE).headers


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_document_can_be_read(service: httpx.Client, path: str) -> None:
    response = service.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
