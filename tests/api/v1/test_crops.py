"""The crops of an answer: the pixels that the embedder was given, and no others."""

import base64
import io
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import PIL.Image
import pytest

from api.v1 import crops
from imaging.encode import encode_png
from imaging.faces import Pixels
from tests.api.v1 import STAFF, Api, message, refusal, staff
from tests.fakes import EMBEDDER_CROP


def number(crop: Mapping[str, Any]) -> int:
    """Which face of the whole test a crop shows: the networks over words are given its number as pixels."""
    with PIL.Image.open(io.BytesIO(base64.b64decode(crop["png"], validate=True))) as image:
        pixels = np.asarray(image)
    assert crop["side"] == EMBEDDER_CROP.size
    assert pixels.shape == (crop["side"], crop["side"], 3)
    return int(np.unique(pixels).item())


def test_each_face_of_a_photo_comes_with_its_own() -> None:
    api = staff()
    for path, count in (("/v1/embed", 0), (f"{STAFF}/search", 2)):
        faces = api.send(path, "anna bob", crops=True).json()["faces"]
        assert [number(face["crop"]) for face in faces] == [count, count + 1]


def test_of_a_pair_it_is_that_of_the_face_which_was_compared() -> None:
    api = Api()
    files = {"photo1": b"dora anna", "photo2": b"anne"}
    faces = api.client.post("/v1/verify", files=files, params={"crops": True, "faces": "all"}).json()["faces"]
    assert [number(face["crop"]) for face in faces] == [1, 2]


@pytest.mark.parametrize("options", [{}, {"crops": False}])
def test_unless_they_are_wanted_there_are_none(options: dict[str, Any]) -> None:
    api = staff()
    pair = {"photo1": b"anna", "photo2": b"anne"}
    answers = [
        api.send("/v1/embed", "anna bob", **options),
        api.send(f"{STAFF}/search", "anna", **options),
        api.client.post("/v1/verify", files=pair, params=options),
    ]
    assert [face["crop"] for answer in answers for face in answer.json()["faces"]] == [None] * 5


def test_a_photo_of_nobody_has_none() -> None:
    assert Api().send("/v1/embed", "nobody", crops=True).json()["faces"] == []


def test_without_an_embedder_they_cannot_be_asked_for() -> None:
    response = Api().send("/v1/detect", "anna", crops=True)
    assert refusal(response) == (400, "INVALID_REQUEST")
    assert "crops" in message(response)


@pytest.mark.parametrize("value", ["1", "on", "yes", ""])
def test_whether_they_are_wanted_is_true_or_false(value: str) -> None:
    assert refusal(Api().send("/v1/embed", "anna", crops=value)) == (400, "INVALID_REQUEST")


def test_the_total_time_includes_their_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0.0

    def slow_png(pixels: Pixels) -> bytes:
        nonlocal seconds
        seconds += 5
        return encode_png(pixels)

    monkeypatch.setattr(crops, "encode_png", slow_png)
    monkeypatch.setattr(time, "perf_counter", lambda: seconds)
    api = staff()
    for path in ("/v1/embed", f"{STAFF}/search"):
        assert api.send(path, "anna", crops=True).json()["timings_ms"]["total"] == 5000
