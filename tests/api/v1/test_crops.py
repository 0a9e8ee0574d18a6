"""The crops of an answer: the pixels that the embedder was given."""

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
from tests.api.v1 import STAFF, Api, staff
from tests.fakes import EMBEDDER_CROP


def number(crop: Mapping[str, Any]) -> int:
    """The number of the face that a crop shows, which is the value of its pixels."""
    with PIL.Image.open(io.BytesIO(base64.b64decode(crop["png"], validate=True))) as image:
        assert image.size == (crop["side"], crop["side"]) == (EMBEDDER_CROP.size,) * 2
        return int(np.unique(np.asarray(image)).item())


def test_each_face_has_its_own_crop() -> None:
    api = staff()
    for path, count in (("/v1/embed", 0), (f"{STAFF}/search", 2)):
        faces = api.send(path, "anna bob", crops=True).json()["faces"]
        assert [number(face["crop"]) for face in faces] == [count, count + 1]


def test_a_pair_has_the_crops_of_the_compared_faces() -> None:
    api = Api()
    files = {"photo1": b"dora anna", "photo2": b"anne"}
    faces = api.client.post("/v1/verify", files=files, params={"crops": True, "faces": "all"}).json()["faces"]
    assert [number(face["crop"]) for face in faces] == [1, 2]


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
