"""POST /v1/verify/many, over fake networks."""

from typing import Any

import httpx
import pytest

from api.settings import LimitArgs
from tests.api.v1 import EMBEDDED, MODELS, Api, message, refusal


def compare(api: Api, reference: str, *photos: str, **options: Any) -> httpx.Response:
    files = [("reference", reference.encode()), *(("photo", photo.encode()) for photo in photos)]
    return api.client.post("/v1/verify/many", files=files, params=options)


def test_each_photo_has_its_result_in_order() -> None:
    response = compare(Api(), "anna", "bob", "broken", "anne")
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("timings_ms")["detection"] == 375
    error = {"code": "INVALID_IMAGE", "message": "The image is damaged"}
    compared = {"faces_found": 1, "face": EMBEDDED, "error": None}
    bob, anne = (pytest.approx(cosine, abs=1e-6) for cosine in (0, 0.9396926))
    assert answer == {
        "metric": "cosine",
        "threshold": {"value": 0.4, "source": "card"},
        "reference": EMBEDDED,
        "photos": [
            {"photo": 0, "match": False, "value": bob, "cosine_similarity": bob, **compared},
            {
                **{"photo": 1, "match": False, "value": None, "cosine_similarity": None},
                **{"faces_found": 0, "face": None, "error": error},
            },
            {"photo": 2, "match": True, "value": anne, "cosine_similarity": anne, **compared},
        ],
        "models": MODELS,
    }


def test_options_are_those_of_a_comparison_of_two_photos() -> None:
    answer = compare(Api(), "anna", "anne", "bob", metric="euclidean", threshold=0.4, crops=True, embedder="facenet")
    body = answer.json()
    assert (body["models"]["embedder"], body["threshold"]) == ("other-model", {"value": 0.4, "source": "request"})
    assert [photo["match"] for photo in body["photos"]] == [True, False]
    assert {face["crop"]["side"] for face in (body["reference"], body["photos"][0]["face"])} == {4}


@pytest.mark.parametrize(("reference", "photo"), [("anna-spoof", "anna"), ("anna", "anna-spoof")])
def test_a_spoof_is_no_match_where_liveness_is_required(reference: str, photo: str) -> None:
    for policy, match in (("report", True), ("require", False)):
        [compared] = compare(Api(), reference, photo, liveness=policy).json()["photos"]
        assert compared["match"] is match


def test_photos_that_are_too_large_are_cut_and_too_many_are_refused() -> None:
    api = Api(LimitArgs(max_image_size=6))
    response = compare(api, "anna", *["bob"] * 101)
    assert refusal(response) == (400, "INVALID_REQUEST")
    assert message(response) == "There are 101 photos; a request can have at most 100"
    assert api.people.detected == []
    compare(api, "anna", "bob-large")
    assert api.people.detected == [["anna"], ["bob-lar"]]
