"""The contract of the facematch service, over fake stages."""

import asyncio
import base64
from typing import Any

import pytest

from graphs.flow_settings import FlowSettings
from imaging.faces import Photo
from imaging.pick import Pick
from project.request_error import RequestError
from tests.fakes import FakeDetector, FakeDownloads, FakeNetwork, client, photo, stages, unit
from tests.waiting import TIMEOUT_S

FIRST, SECOND = b"the first photo", b"the second photo"
TEXT1, TEXT2 = base64.b64encode(FIRST).decode(), base64.b64encode(SECOND).decode()
PAIR = {"image1": TEXT1, "image2": TEXT2}


def answer(**fields: Any) -> Any:
    """The answer about two live faces with similarity 0.8, under the default settings."""
    response = client().post("/match", json={**PAIR, **fields})
    assert response.status_code == 200
    return response.json()


def test_the_answer_has_the_contracts_form_and_each_photo_its_own_results() -> None:
    looks = FakeDetector(photo(faces=[0.75], seconds=0.5), photo(faces=[0.625], seconds=0.25))
    embeddings = [[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]]
    fakes = stages(looks, FakeNetwork([0.9375, 0.125]), FakeNetwork(embeddings))
    # A pair exactly at the threshold is a match.
    response = client(fakes).post("/match", json={**PAIR, "threshold": 0.5})
    assert response.status_code == 200
    found = response.json()
    assert 0 < found.pop("image_loading_time") < found.pop("processing_time") < 30
    assert found == {
        "success": True,
        "match": True,
        "similarity_score": 0.5,
        "confidence": 0.5,
        "threshold": 0.5,
        "liveness_results": {
            "image1": {"success": True, "is_live": True, "liveness_score": 0.9375, "confidence": 0.9375},
            "image2": {"success": True, "is_live": False, "liveness_score": 0.125, "confidence": 0.875},
        },
        "face_detection_results": {
            "image1": {"face_count": 1, "confidence": 0.75, "detection_time": 0.5},
            "image2": {"face_count": 1, "confidence": 0.625, "detection_time": 0.25},
        },
        "recognition_results": {
            "distance_metrics": {
                "cosine_similarity": 0.5,
                "cosine_distance": 0.5,
                "euclidean_distance": 1.0,
                "manhattan_distance": 2.0,
            },
            "embedding_quality": {
                "face1_quality": {
                    "embedding_norm": 1.0,
                    "embedding_mean": 0.25,
                    "embedding_std": pytest.approx(3**0.5 / 4),
                },
                "face2_quality": {"embedding_norm": 1.0, "embedding_mean": 0.5, "embedding_std": 0.0},
            },
        },
        "models": {"detector": "detector-model", "liveness": "liveness-model", "embedder": "embedder-model"},
    }
    assert looks.calls[0][0] == [FIRST, SECOND]
    assert looks.picks == [Pick("one", 0.33)]


def test_confidence_is_that_of_the_example_and_half_at_the_threshold() -> None:
    fakes = stages(embed=FakeNetwork(unit(0.87)))
    assert client(fakes).post("/match", json=PAIR).json()["confidence"] == pytest.approx(0.92, abs=0.005)
    at = answer()["similarity_score"]
    assert answer(threshold=at - 0.125)["confidence"] == pytest.approx(answer(threshold=at + 0.125)["confidence"])
    assert answer(threshold=0)["confidence"] > answer(threshold=0.5)["confidence"] > 0.5


@pytest.mark.parametrize(("own", "match"), [(None, None), (0, True), (0.79, True), ("0.81", False), (1, False)])
def test_the_threshold_is_the_requests_or_the_configurations_or_the_contracts(
    own: float | str | None, match: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIMILARITY_THRESHOLD", raising=False)
    for configured, default, by_default in ((None, 0.6, True), (0.9, 0.9, False)):
        settings = FlowSettings(similarity_threshold=configured)
        found = client(settings=settings).post("/match", json={**PAIR, "threshold": own}).json()
        expected = (default, by_default) if own is None else (float(own), match)
        assert (found["threshold"], found["match"]) == expected


@pytest.mark.parametrize(("policy", "match"), [("report", True), ("require", False)])
def test_a_spoof_can_match_unless_liveness_is_required(policy: Any, match: bool) -> None:
    for live in ([0.1, 0.9], [0.9, 0.1]):
        asked = client(stages(score=FakeNetwork(live)), settings=FlowSettings(liveness_policy=policy))
        assert asked.post("/match", json=PAIR).json()["match"] is match


ADDRESS1, ADDRESS2 = "https://photos.example/1.jpg", "http://photos.example/2.jpg"
NOT_FOUND = RequestError("DOWNLOAD_FAILED", "The URL returned status 404")
NOT_PUBLIC = RequestError("URL_NOT_ALLOWED", "The URL resolves to a non-public IP address")


def test_two_addresses_are_fetched_side_by_side() -> None:
    both, looks = asyncio.Barrier(2), FakeDetector(photo(), photo())

    class Meeting(FakeDownloads):
        async def fetch(self, url: str) -> bytes:
            async with asyncio.timeout(TIMEOUT_S), both:
                return await super().fetch(url)

    asked = client(stages(looks), downloads=Meeting({ADDRESS1: FIRST, ADDRESS2: SECOND}))
    assert asked.post("/match", json={"image1": ADDRESS1, "image2": ADDRESS2}).status_code == 200
    assert looks.calls[0][0] == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (NOT_FOUND, SECOND, f"Image1 could not be loaded: {NOT_FOUND.message}"),
        (FIRST, NOT_PUBLIC, f"Image2 could not be loaded: {NOT_PUBLIC.message}"),
        (NOT_FOUND, NOT_PUBLIC, f"Image1 could not be loaded: {NOT_FOUND.message}"),
        (NOT_FOUND, None, f"Image1 could not be loaded: {NOT_FOUND.message}"),
    ],
)
def test_the_first_of_two_photos_that_cannot_be_loaded_is_named(first: Any, second: Any, message: str) -> None:
    class Slow(FakeDownloads):
        async def fetch(self, url: str) -> bytes:
            await asyncio.sleep(0.01)
            return await super().fetch(url)

    asked = client(downloads=Slow({ADDRESS1: first, ADDRESS2: second}))
    # Text that is neither a URL nor base64 is refused before a URL that cannot be fetched.
    response = asked.post("/match", json={"image1": ADDRESS1, "image2": ADDRESS2 if second else "!"})
    assert response.status_code == 400
    assert response.json() == {"success": False, "error": message}


def test_a_fault_while_a_photo_is_fetched_is_a_500() -> None:
    asked = client(downloads=FakeDownloads({ADDRESS1: RuntimeError("broken")}))
    assert asked.post("/match", json={"image1": ADDRESS1, "image2": TEXT2}).status_code == 500


STRICT = FlowSettings(min_side=600, min_brightness=130, max_brightness=150, min_contrast=60.5)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (RequestError("INVALID_IMAGE", "It is damaged"), "could not be loaded: It is damaged"),
        (photo(599, 600, brightness=1, faces=[]), "quality issue: Image too small: 599x600. Minimum size: 600x600"),
        (photo(600, 599), "quality issue: Image too small: 600x599. Minimum size: 600x600"),
        (photo(800, 600, 129.94), "quality issue: Image too dark: brightness 129.9. Minimum: 130"),
        (photo(800, 600, 150.1), "quality issue: Image too bright: brightness 150.1. Maximum: 150"),
        (photo(800, 600, 140, 60.4), "quality issue: Image contrast too low: 60.4. Minimum: 60.5"),
        (photo(800, 600, 140, 61, faces=[]), "face detection failed: No face detected"),
        (
            photo(800, 600, 140, 61, faces=[0.9] * 2),
            "face detection failed: Multiple faces detected (2). Exactly one face is required",
        ),
    ],
)
def test_unusable_photo_is_named_before_a_network_is_asked(found: Photo | RequestError, reason: str) -> None:
    good, faceless = photo(800, 600, 140, 61), photo(800, 600, 140, 61, faces=[])
    for pair, name in (((found, good), "Image1"), ((good, found), "Image2"), ((found, faceless), "Image1")):
        score, embed = FakeNetwork([0.9, 0.9]), FakeNetwork(unit(1))
        response = client(stages(FakeDetector(*pair), score, embed), settings=STRICT).post("/match", json=PAIR)
        assert (response.status_code, response.json()) == (400, {"success": False, "error": f"{name} {reason}"})
        assert score.calls == embed.calls == []


@pytest.mark.parametrize("brightness", [130, 150])
def test_a_photo_exactly_at_each_bound_is_used(brightness: float) -> None:
    found = photo(600, 600, brightness, 60.5)
    assert client(stages(FakeDetector(found, found)), settings=STRICT).post("/match", json=PAIR).is_success


def test_the_bounds_are_the_contracts_unless_the_policy_has_others() -> None:
    settings = FlowSettings()
    bounds = settings.min_side, settings.min_brightness, settings.max_brightness, settings.min_contrast
    assert bounds == (224, 20, 240, 10)
