"""The contract of the facematch service (seed 000), over fake stages."""

import asyncio
import base64
from typing import Any

import pytest

from api.settings import LimitArgs
from graphs.policy import Policy
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import FakeAddresses, FakeDetector, FakeNetwork, client, photo, stages, unit

FIRST, SECOND = b"the first photo", b"the second photo"
TEXT1, TEXT2 = base64.b64encode(FIRST).decode(), base64.b64encode(SECOND).decode()
PAIR = {"image1": TEXT1, "image2": TEXT2}
JSON = {"content-type": "application/json"}

EXAMPLE: dict[str, Any] = {
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
"""The response as the contract documents it."""


def shape(value: Any) -> Any:
    """The names, nesting and JSON types of an answer."""
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value).__name__


def answer(**fields: Any) -> Any:
    """A match at default policy of two live faces that are 0.8 alike."""
    response = client().post("/match", json={**PAIR, **fields})
    assert response.status_code == 200
    return response.json()


def refusal(body: dict[str, Any]) -> str:
    """The message of the 400 that `body` is answered with."""
    response = client().post("/match", json=body)
    assert response.status_code == 400
    assert response.json().keys() == {"success", "error"}
    assert response.json()["success"] is False
    message = response.json()["error"]
    assert isinstance(message, str)
    return message


def test_the_answer_has_the_contracts_form_and_the_models_beside_it() -> None:
    found = answer()
    assert found.pop("models") == {
        "detector": "detector-model",
        "liveness": "liveness-model",
        "embedder": "embedder-model",
    }
    assert shape(found) == shape(EXAMPLE)


def test_each_photo_has_its_own_results() -> None:
    looks = FakeDetector(photo(faces=[0.75], seconds=0.5), photo(faces=[0.625], seconds=0.25))
    embeddings = [[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]]
    fakes = stages(looks, FakeNetwork([0.9375, 0.125]), FakeNetwork(embeddings))
    found = client(fakes).post("/match", json=PAIR).json()
    assert found["face_detection_results"] == {
        "image1": {"face_count": 1, "confidence": 0.75, "detection_time": 0.5},
        "image2": {"face_count": 1, "confidence": 0.625, "detection_time": 0.25},
    }
    assert found["liveness_results"] == {
        "image1": {"success": True, "is_live": True, "liveness_score": 0.9375, "confidence": 0.9375},
        "image2": {"success": True, "is_live": False, "liveness_score": 0.125, "confidence": 0.875},
    }
    assert found["recognition_results"] == {
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
    }
    assert found["similarity_score"] == 0.5


def test_the_times_are_of_this_request() -> None:
    found = answer()
    assert 0 < found["image_loading_time"] < found["processing_time"] < 30


def test_confidence_is_the_examples_and_half_at_the_threshold() -> None:
    fakes = stages(embed=FakeNetwork(unit(0.87)))
    assert client(fakes).post("/match", json=PAIR).json()["confidence"] == pytest.approx(0.92, abs=0.005)
    at = answer()["similarity_score"]
    assert answer(threshold=at)["confidence"] == 0.5
    assert answer(threshold=at - 0.125)["confidence"] == pytest.approx(answer(threshold=at + 0.125)["confidence"])
    assert answer(threshold=0)["confidence"] > answer(threshold=0.5)["confidence"] > 0.5


def test_the_threshold_is_the_contracts_where_nobody_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMILARITY_THRESHOLD", raising=False)
    assert answer()["threshold"] == 0.6
    assert answer(threshold=None)["threshold"] == 0.6


def test_the_policys_threshold_stands_where_the_request_names_none() -> None:
    asked = client(policy=Policy(similarity_threshold=0.9))
    found = asked.post("/match", json=PAIR).json()
    assert (found["threshold"], found["match"]) == (0.9, False)
    found = asked.post("/match", json={**PAIR, "threshold": 0.7}).json()
    assert (found["threshold"], found["match"]) == (0.7, True)


@pytest.mark.parametrize(("threshold", "match"), [(0, True), (0.79, True), (0.81, False), (1, False)])
def test_the_requests_threshold_decides(threshold: float, match: bool) -> None:
    found = answer(threshold=threshold)
    assert (found["threshold"], found["match"]) == (threshold, match)


def test_a_pair_exactly_at_the_threshold_is_a_match() -> None:
    fakes = stages(embed=FakeNetwork([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]]))
    assert client(fakes).post("/match", json={**PAIR, "threshold": 0.5}).json()["match"] is True


@pytest.mark.parametrize("threshold", ["NaN", "Infinity", "-Infinity", "2", "1.0001", "-0.1", "1e999", "[]", '"high"'])
def test_a_threshold_that_is_none_is_refused(threshold: str) -> None:
    body = f'{{"image1": "{TEXT1}", "image2": "{TEXT2}", "threshold": {threshold}}}'
    response = client().post("/match", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["success"] is False
    assert response.json()["error"].startswith("threshold: ")


def test_a_threshold_in_quotes_is_taken_as_the_number_it_is() -> None:
    assert answer(threshold="0.25")["threshold"] == 0.25


@pytest.mark.parametrize(
    ("policy", "live", "match"),
    [
        ("report", [0.9, 0.9], True),
        ("report", [0.1, 0.9], True),
        ("report", [0.1, 0.1], True),
        ("require", [0.9, 0.9], True),
        ("require", [0.1, 0.9], False),
        ("require", [0.9, 0.1], False),
    ],
)
def test_the_policy_says_whether_a_spoof_can_match(policy: str, live: list[float], match: bool) -> None:
    fakes = stages(score=FakeNetwork(live))
    found = client(fakes, policy=Policy.model_validate({"liveness_policy": policy})).post("/match", json=PAIR).json()
    assert found["match"] is match
    reported = found["liveness_results"]
    assert [reported[name]["is_live"] for name in ("image1", "image2")] == [score > 0.5 for score in live]


def test_a_required_liveness_makes_no_match_of_two_people() -> None:
    fakes = stages(embed=FakeNetwork(unit(0.1)))
    found = client(fakes, policy=Policy(liveness_policy="require")).post("/match", json=PAIR).json()
    assert found["match"] is False


def test_a_face_exactly_at_the_policys_liveness_threshold_is_live() -> None:
    fakes = stages(score=FakeNetwork([0.75, 0.7421875]))
    found = client(fakes, policy=Policy(liveness_threshold=0.75)).post("/match", json=PAIR).json()
    assert found["liveness_results"]["image1"]["is_live"] is True
    assert found["liveness_results"]["image2"]["is_live"] is False


@pytest.mark.parametrize(
    "first",
    [TEXT1, f"data:image/jpeg;base64,{TEXT1}", f"{TEXT1[:8]}\n{TEXT1[8:]}\r\n"],
    ids=["bare", "data", "newlines"],
)
def test_the_photos_reach_the_detector_in_their_order(first: str) -> None:
    detector = FakeDetector(photo(), photo())
    assert client(stages(detector)).post("/match", json={"image1": first, "image2": TEXT2}).status_code == 200
    assert detector.calls[0][0] == [FIRST, SECOND]
    assert detector.picks == [Pick("one", 0.33)]


@pytest.mark.parametrize(("field", "name"), [("image1", "Image1"), ("image2", "Image2")])
def test_an_address_is_refused_where_addresses_are_off_with_the_photos_name(field: str, name: str) -> None:
    message = refusal({**PAIR, field: "https://example.com/face1.jpg"})
    reason = "Addresses are not fetched by this service; send the photo as base64"
    assert message == f"{name} could not be loaded: {reason}"


ADDRESS1, ADDRESS2 = "https://photos.example/1.jpg", "http://photos.example/2.jpg"
NOT_FOUND = Refused("DOWNLOAD_FAILED", "The address answered with status 404")
NOT_PUBLIC = Refused("URL_NOT_ALLOWED", "The address leads into a network that is not public")


@pytest.mark.parametrize(
    ("first", "second"), [(ADDRESS1, ADDRESS2), (ADDRESS1, TEXT2), (TEXT1, ADDRESS2), (ADDRESS1, ADDRESS1)]
)
def test_photos_are_fetched_by_their_addresses(first: str, second: str) -> None:
    detector, photos = FakeDetector(photo(), photo()), {ADDRESS1: FIRST, ADDRESS2: SECOND}
    asked = client(stages(detector), addresses=FakeAddresses(photos))
    assert asked.post("/match", json={"image1": first, "image2": second}).status_code == 200
    assert detector.calls[0][0] == [FIRST, FIRST if second == ADDRESS1 else SECOND]


def test_two_addresses_are_fetched_side_by_side() -> None:
    both = asyncio.Barrier(2)

    class Meeting(FakeAddresses):
        async def fetch(self, url: str) -> bytes:
            async with asyncio.timeout(5), both:
                return await super().fetch(url)

    asked = client(addresses=Meeting({ADDRESS1: FIRST, ADDRESS2: SECOND}))
    assert asked.post("/match", json={"image1": ADDRESS1, "image2": ADDRESS2}).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (NOT_FOUND, SECOND, f"Image1 could not be loaded: {NOT_FOUND.message}"),
        (FIRST, NOT_PUBLIC, f"Image2 could not be loaded: {NOT_PUBLIC.message}"),
        (NOT_FOUND, NOT_PUBLIC, f"Image1 could not be loaded: {NOT_FOUND.message}"),
    ],
)
def test_of_two_addresses_that_cannot_be_fetched_the_first_is_named(first: Any, second: Any, message: str) -> None:
    asked = client(addresses=FakeAddresses({ADDRESS1: first, ADDRESS2: second}))
    response = asked.post("/match", json={"image1": ADDRESS1, "image2": ADDRESS2})
    assert response.status_code == 400
    assert response.json() == {"success": False, "error": message}


def test_the_first_is_named_though_the_second_is_refused_sooner() -> None:
    class Slow(FakeAddresses):
        async def fetch(self, url: str) -> bytes:
            await asyncio.sleep(0.01)
            return await super().fetch(url)

    response = client(addresses=Slow({ADDRESS1: NOT_FOUND})).post("/match", json={"image1": ADDRESS1, "image2": "!"})
    assert response.json()["error"] == f"Image1 could not be loaded: {NOT_FOUND.message}"


def test_a_fault_of_the_fetching_is_a_500() -> None:
    response = client(addresses=FakeAddresses({ADDRESS2: RuntimeError("broken")})).post(
        "/match", json={"image1": TEXT1, "image2": ADDRESS2}
    )
    assert response.status_code == 500


def test_at_the_deadline_both_addresses_are_given_up() -> None:
    given_up = []

    class Endless(FakeAddresses):
        async def fetch(self, url: str) -> bytes:
            try:
                await asyncio.Event().wait()
            finally:
                given_up.append(url)
            raise AssertionError

    asked = client(limits=LimitArgs(request_timeout=0.02), addresses=Endless({}))
    assert asked.post("/match", json={"image1": ADDRESS1, "image2": ADDRESS2}).status_code == 503
    assert sorted(given_up) == [ADDRESS2, ADDRESS1]


@pytest.mark.parametrize(("field", "name"), [("image1", "Image1"), ("image2", "Image2")])
def test_what_is_not_base64_is_refused_with_the_photos_name(field: str, name: str) -> None:
    message = refusal({**PAIR, field: "no base64!"})
    assert message == f"{name} could not be loaded: The image is neither an address nor base64"


def test_a_photo_that_is_too_large_never_reaches_a_stage() -> None:
    detector = FakeDetector(photo(), photo())
    response = client(stages(detector), LimitArgs(max_image_size=10)).post("/match", json=PAIR)
    assert response.status_code == 400
    assert response.json() == {
        "success": False,
        "error": "Image1 could not be loaded: The image has more than the 10 bytes that are accepted",
    }
    assert detector.calls == []


@pytest.mark.parametrize("field", ["image1", "image2"])
@pytest.mark.parametrize("value", [None, 5, True, "", [TEXT1], {"url": TEXT1}])
def test_a_photo_of_a_wrong_type_is_refused(field: str, value: Any) -> None:
    assert refusal({**PAIR, field: value}).startswith(f"{field}: ")


def test_a_missing_photo_is_refused() -> None:
    assert refusal({"image1": TEXT1}) == "image2: Field required"
    assert refusal({"image2": TEXT2}) == "image1: Field required"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"image1": "\\ud800", "image2": "QUJD"}'],
    ids=["empty", "cut off", "null", "list", "string", "not UTF-8", "nested", "half a surrogate"],
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    response = client().post("/match", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json().keys() == {"success", "error"}
    assert response.json()["success"] is False
    assert response.json()["error"]


def test_invalid_json_is_called_that() -> None:
    response = client().post("/match", content=b'{"image1": ', headers=JSON)
    assert response.json() == {"success": False, "error": "The body is not valid JSON"}


def test_a_photo_that_is_not_good_enough_is_refused_in_the_contracts_words() -> None:
    response = client(stages(FakeDetector(photo(100, 80), photo()))).post("/match", json=PAIR)
    assert response.status_code == 400
    assert response.json() == {
        "success": False,
        "error": "Image1 quality issue: Image too small: 100x80. Minimum size: 224x224",
    }


@pytest.mark.parametrize(
    "found", [photo(faces=[]), photo(faces=[0.9, 0.8]), photo(contrast=1), Refused("INVALID_IMAGE", "It is damaged")]
)
def test_everything_else_that_is_wrong_with_a_photo_is_a_400_too(found: Any) -> None:
    response = client(stages(FakeDetector(photo(), found))).post("/match", json=PAIR)
    assert response.status_code == 400
    assert response.json().keys() == {"success", "error"}
    assert response.json()["error"].startswith("Image2 ")


def test_only_post_is_answered() -> None:
    response = client().get("/match")
    assert response.status_code == 405
    assert response.json() == {"success": False, "error": "Method Not Allowed"}
    assert response.headers["allow"] == "POST"
