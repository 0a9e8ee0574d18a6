"""What further networks say of a face, where a request names them."""

from typing import Any

import pytest

from tests.api.v1 import STAFF, Api, message, refusal, staff
from tests.fakes import client, with_stages

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
def test_each_route_answers_the_attributes_that_are_named(path: str) -> None:
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
    assert staff().get("/v1/models").json()["attributes"] == {}
