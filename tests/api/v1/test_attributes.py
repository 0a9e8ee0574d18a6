"""What an answer says about a face only on request: its attributes, and the crop that the embedder was given."""

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
from tests.fakes import EMBEDDER_CROP, client, number_of, with_stages

POSE = {"yaw": 45, "pitch": 0, "roll": 0}
SHUT = {"left_open": 0.125, "right_open": 0.125}


def with_attributes() -> Api:
    """The app with both attributes and a collection with Anna in it."""
    api = staff()
    api.client = client(with_stages(api.stages, *api.people.attributes()))
    assert api.enrol("anna", "anna").status_code == 201
    return api


def faces_of(api: Api, path: str, photo: str, **options: Any) -> Any:
    if path == "/v1/verify":
        sent = {"photo1": photo.encode(), "photo2": b"anna"}
        return api.client.post(path, files=sent, params=options).json()
    return api.send(path, photo, **options).json()


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/embed", "/v1/verify", f"{STAFF}/search"])
def test_each_route_returns_the_attributes_that_are_named(path: str) -> None:
    api = with_attributes()
    answer = faces_of(api, path, "bob-turned-shut", attributes="pose,eyes")
    assert (answer["faces"][0]["pose"], answer["faces"][0]["eyes"]) == (POSE, SHUT)
    assert (answer["models"]["pose"], answer["models"]["eyes"]) == ("pose-model", "eyes-model")
    answer = faces_of(api, path, "bob-turned-shut", attributes="eyes")
    assert (answer["faces"][0]["pose"], answer["faces"][0]["eyes"]) == (None, SHUT)
    answer = faces_of(api, path, "bob-turned-shut")
    assert (answer["faces"][0]["pose"], answer["models"]["pose"]) == (None, None)


def test_an_enrolment_reports_them() -> None:
    [photo] = with_attributes().enrol("bob", "bob-turned").json()["photos"]
    assert ([reason["code"] for reason in photo["reasons"]], photo["face"]["pose"]) == (["FACE_TURNED"], POSE)


@pytest.mark.parametrize(
    ("made", "known"), [(with_attributes, "available: pose, eyes"), (staff, "this service has no attributes")]
)
@pytest.mark.parametrize("name", ["age", "Pose", "pose;eyes"])
def test_an_attribute_without_a_stage_is_refused_by_name(made: Any, known: str, name: str) -> None:
    response = made().send("/v1/detect", "anna", attributes=name)
    assert refusal(response) == (422, "UNKNOWN_ATTRIBUTE")
    assert message(response) == f"Unknown attribute {name}; {known}"


def test_the_models_list_the_attributes() -> None:
    found = with_attributes().get("/v1/models").json()
    assert {name: network["model"] for name, network in found["attributes"].items()} == {
        "pose": "pose-model",
        "eyes": "eyes-model",
    }
    assert (found["defaults"]["pose"], found["defaults"]["eyes"]) == ("pose", "eyes")


def number(crop: Mapping[str, Any]) -> int:
    """The number of the face that a crop shows."""
    with PIL.Image.open(io.BytesIO(base64.b64decode(crop["png"], validate=True))) as image:
        assert image.size == (crop["side"], crop["side"]) == (EMBEDDER_CROP.size,) * 2
        return number_of(np.asarray(image))


def test_each_face_has_its_own_crop(api: Api) -> None:
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
