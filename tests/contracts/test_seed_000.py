"""The clients of the facematch service (seed 000), against the real one; their addresses lead to a site on loopback."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import PIL.Image
import pytest

from tests.contracts import nobody, side_by_side, text

DOCUMENTED = {
    "success": True,
    "match": True,
    "similarity_score": 0.87,
    "confidence": 0.92,
    "threshold": 0.6,
    "liveness_results": {
        "image1": {"success": True, "is_live": True, "liveness_score": 0.95, "confidence": 0.93},
        "image2": {"success": True, "is_live": True, "liveness_score": 0.89, "confidence": 0.91},
    },
    "face_detection_results": {
        "image1": {"face_count": 1, "confidence": 0.99, "detection_time": 0.156},
        "image2": {"face_count": 1, "confidence": 0.97, "detection_time": 0.142},
    },
    "recognition_results": {
        "distance_metrics": {
            "cosine_similarity": 0.87,
            "cosine_distance": 0.13,
            "euclidean_distance": 0.52,
            "manhattan_distance": 2.34,
        },
        "embedding_quality": {
            "face1_quality": {"embedding_norm": 1.0, "embedding_mean": 0.02, "embedding_std": 0.35},
            "face2_quality": {"embedding_norm": 1.0, "embedding_mean": 0.01, "embedding_std": 0.33},
        },
    },
    "processing_time": 2.45,
    "image_loading_time": 0.78,
}
"""The document's answer."""


@pytest.fixture(scope="module")
def site(mindy: bytes, mindy_again: bytes, jerry: bytes) -> Iterator[str]:
    """The address of a site with photos, and with what is none."""
    pages = {
        "/person1.jpg": mindy,
        "/face1.jpg": mindy,
        "/face2.jpg": mindy_again,
        "/jerry.jpg": jerry,
        "/small.jpg": _small(mindy),
        "/both.png": side_by_side(mindy, jerry),
        "/nobody.png": nobody(),
        "/empty.jpg": b"",
        "/page.html": b"<!doctype html><title>No photo</title>",
    }

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved.jpg":
                self.send_response(302)
                self.send_header("location", "/face1.jpg")
                self.end_headers()
                return
            page = pages.get(self.path)
            self.send_response(404 if page is None else 200)
            # A 404 with a photo in it is a 404 all the same.
            page = mindy if page is None else page
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _small(photo: bytes) -> bytes:
    file = io.BytesIO()
    PIL.Image.open(io.BytesIO(photo)).resize((100, 80)).save(file, "JPEG")
    return file.getvalue()


def data_url(photo: bytes) -> str:
    return f"data:image/jpeg;base64,{text(photo)}"


def python_client(service: httpx.Client, image1: str, image2: str, threshold: float) -> str:
    """The document's Python, with what it prints."""
    response = service.post("/match", json={"image1": image1, "image2": image2, "threshold": threshold})
    result = response.json()
    if result["success"]:
        if result["match"]:
            return f"MATCH! Similarity: {result['similarity_score']:.3f}"
        return f"NO MATCH. Similarity: {result['similarity_score']:.3f}"
    return f"Error: {result['error']}"


def curl(service: httpx.Client, body: str) -> httpx.Response:
    """`curl -X POST http://localhost:8000/match -H "Content-Type: application/json" -d BODY`."""
    return service.post("/match", content=body, headers={"content-type": "application/json"})


def answer(service: httpx.Client, image1: str, image2: str, **more: float) -> Any:
    response = service.post("/match", json={"image1": image1, "image2": image2, **more})
    assert response.status_code == 200
    return response.json()


def refusal(service: httpx.Client, image1: str, image2: str) -> str:
    """The error of a documented 400, which has nothing else in it."""
    response = service.post("/match", json={"image1": image1, "image2": image2})
    assert response.status_code == 400
    body = response.json()
    assert body == {"success": False, "error": body["error"]}
    return str(body["error"])


def shape(value: Any) -> Any:
    """The names and the types of an answer."""
    return {name: shape(each) for name, each in value.items()} if isinstance(value, dict) else type(value)


def test_the_python_client_tells_people_apart(
    service: httpx.Client, site: str, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    person1 = f"{site}/person1.jpg"
    assert python_client(service, person1, data_url(mindy_again), 0.7).startswith("MATCH! Similarity: 0.7")
    assert python_client(service, person1, data_url(mindy), 0.7) == "MATCH! Similarity: 1.000"
    assert python_client(service, person1, data_url(jerry), 0.7).startswith("NO MATCH. Similarity: -0.")
    assert python_client(service, person1, data_url(nobody()), 0.7) == (
        "Error: Image2 face detection failed: No face detected"
    )


def test_the_curl_example_has_every_documented_field(service: httpx.Client, site: str) -> None:
    response = curl(
        service,
        f"""{{
    "image1": "{site}/face1.jpg",
    "image2": "{site}/face2.jpg",
    "threshold": 0.6
  }}""",
    )
    assert response.status_code == 200
    found = response.json()
    assert found.pop("models").keys() == {"detector", "liveness", "embedder"}
    assert shape(found) == shape(DOCUMENTED)
    assert (found["success"], found["match"], found["threshold"]) == (True, True, 0.6)


def test_the_fields_agree_with_each_other(service: httpx.Client, site: str) -> None:
    found = answer(service, f"{site}/face1.jpg", f"{site}/face2.jpg")
    assert found["threshold"] == 0.6
    similarity = found["similarity_score"]
    assert 0.7 < similarity < 0.8
    assert 0.5 < found["confidence"] < 1
    for image in ("image1", "image2"):
        live = found["liveness_results"][image]
        assert (live["success"], live["is_live"]) == (True, True)
        assert 0.5 < live["liveness_score"] == live["confidence"] <= 1
        detected = found["face_detection_results"][image]
        assert detected["face_count"] == 1
        assert 0.9 < detected["confidence"] <= 1
        assert 0 < detected["detection_time"] < found["processing_time"]
    metrics = found["recognition_results"]["distance_metrics"]
    assert metrics["cosine_similarity"] == similarity
    assert metrics["cosine_distance"] == pytest.approx(1 - similarity)
    # Of two embeddings of length 1, either measure follows from the other.
    assert metrics["euclidean_distance"] ** 2 == pytest.approx(2 - 2 * similarity, abs=1e-4)
    assert metrics["euclidean_distance"] < metrics["manhattan_distance"] < 20
    for quality in found["recognition_results"]["embedding_quality"].values():
        assert quality["embedding_norm"] == pytest.approx(1, abs=1e-4)
        assert quality["embedding_std"] ** 2 + quality["embedding_mean"] ** 2 == pytest.approx(1 / 192, rel=1e-3)
    assert 0 < found["image_loading_time"] < found["processing_time"] < 30


@pytest.mark.parametrize(("threshold", "match"), [(0.0, True), (0.7, True), (0.9, False), (1.0, False)])
def test_the_threshold_decides(service: httpx.Client, site: str, threshold: float, match: bool) -> None:
    found = answer(service, f"{site}/face1.jpg", f"{site}/face2.jpg", threshold=threshold)
    assert (found["match"], found["threshold"]) == (match, threshold)


def test_an_address_a_data_url_and_bare_base64_are_the_same_photo(
    service: httpx.Client, site: str, mindy: bytes
) -> None:
    for image in (f"{site}/face1.jpg", f"{site}/moved.jpg", data_url(mindy), text(mindy)):
        assert answer(service, image, f"{site}/person1.jpg")["similarity_score"] == pytest.approx(1, abs=1e-4)


def test_what_an_address_cannot_give_is_refused_by_name(service: httpx.Client, site: str, lone_port: int) -> None:
    face, nowhere = f"{site}/face1.jpg", f"http://127.0.0.1:{lone_port}/face.jpg"
    problems = {
        f"{site}/nowhere.jpg": "could not be loaded: The address answered with status 404",
        f"{site}/page.html": "could not be loaded: The image is an HTML file; only JPEG, PNG, WEBP, BMP, HEIC and AVIF "
        "files are accepted",
        f"{site}/empty.jpg": "could not be loaded: The image is empty",
        nowhere: "could not be loaded: No connection to the address could be made",
        "http://10.0.0.1/face.jpg": "could not be loaded: The address leads into a network that is not public",
        "face1.jpg": "could not be loaded: The image is neither an address nor base64",
    }
    for image, problem in problems.items():
        assert refusal(service, image, face) == f"Image1 {problem}"
        assert refusal(service, face, image) == f"Image2 {problem}"
    assert refusal(service, f"{site}/nowhere.jpg", f"{site}/page.html").startswith("Image1 could not be loaded: ")


def test_a_photo_that_does_not_do_is_refused_by_name(service: httpx.Client, site: str) -> None:
    face = f"{site}/face1.jpg"
    # The document's own 400.
    assert refusal(service, f"{site}/small.jpg", face) == (
        "Image1 quality issue: Image too small: 100x80. Minimum size: 224x224"
    )
    assert refusal(service, face, f"{site}/nobody.png") == "Image2 face detection failed: No face detected"
    assert refusal(service, face, f"{site}/both.png") == (
        "Image2 face detection failed: Multiple faces detected (2). Exactly one face is required"
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"image1": "x"}', "image2: Field required"),
        ('{"image1": "x", "image2": ""}', "image2: String should have at least 1 character"),
        ('{"image1": "x", "image2": 7}', "image2: Input should be a valid string"),
        (
            '{"image1": "x", "image2": "x", "threshold": 1.5}',
            "threshold: Input should be less than or equal to 1",
        ),
        ('{"image1": "x", ', "The body is not valid JSON"),
    ],
)
def test_a_request_that_is_none_is_a_400(service: httpx.Client, body: str, error: str) -> None:
    response = curl(service, body)
    assert response.status_code == 400
    assert response.json() == {"success": False, "error": error}


def test_the_health_has_every_documented_field(service: httpx.Client) -> None:
    """`curl http://localhost:8000/health`."""
    response = service.get("/health")
    assert response.status_code == 200
    found = response.json()
    assert found["status"] == "healthy"
    assert isinstance(found["timestamp"], float)
    assert {name: found["models"][name] for name in ("mtcnn", "crmnet", "arcface")} == {
        "mtcnn": True,
        "crmnet": True,
        "arcface": True,
    }
    assert isinstance(found["version"], str)
