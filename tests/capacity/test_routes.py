"""The routes of a mix call the stages that requests to the service call."""

import base64
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from capacity.routes import SHAPES, deployment_of, route_of
from capacity.system import CapacityError
from graphs.stages import Stage
from tests.default_configuration import default_args
from tests.fakes import People, changed, service, stages_of

TEXTS = [base64.b64encode(word).decode() for word in (b"anna", b"anne")]
PHOTOS = {"photo1": b"anna", "photo2": b"anne"}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "match": ("/match", {"json": dict(zip(("image1", "image2"), TEXTS, strict=True))}),
    "compare": ("/compare", {"json": dict(zip(("image1_base64", "image2_base64"), TEXTS, strict=True))}),
    "mediapipe": ("/mediapipe", {"json": dict(zip(("image1_base64", "image2_base64"), TEXTS, strict=True))}),
    "verify": ("/v1/verify", {"files": PHOTOS}),
    "search": ("/v1/collections/staff/search", {"files": {"photo": b"anna"}}),
    "enrol": ("/v1/collections/staff/faces", {"files": {"photo": b"anna"}, "data": {"subject": "anna"}}),
}


def called(path: str, request: dict[str, Any]) -> list[tuple[str, int]]:
    """The deployments that a request calls, in order, with the photos or faces of each call."""
    people, calls = People(), list[tuple[str, int]]()
    known = people.stages()
    args = default_args()

    def recorded(stage: Stage[Any, Any]) -> Stage[Any, Any]:
        async def ask(question: Any) -> Any:
            items = question.photos if hasattr(question, "photos") else question[0]
            calls.append((deployment_of(stage.role, args), len(items)))
            return await stage.ask(question)

        return changed(stage, ask)

    detector = known.detectors["mtcnn"]
    others = [changed(detector, role=role) for role in ("retinaface", "mediapipe")]
    made: list[Stage[Any, Any]] = [*others, detector, *known.networks.values(), *people.attributes()]
    client = TestClient(create_app(service(stages_of(*map(recorded, made), gallery=known.gallery))))
    client.put("/v1/collections/staff", json={}).raise_for_status()
    client.post(path, **request).raise_for_status()
    return calls


@pytest.mark.parametrize("name", SHAPES)
def test_a_route_calls_the_stages_that_its_requests_call(name: str) -> None:
    ingress, *steps, last = route_of(name, default_args())
    planned = [[(call.stage, call.items) for call in step] for step in steps if "gallery" not in step[0].stage]
    assert ingress == last
    found = called(*REQUESTS[name])
    assert [found[:1], sorted(found[1:])] == [planned[0], sorted(planned[1])]


def test_a_missing_stage_is_one_sentence() -> None:
    args = default_args()
    stages = {role: stage for role, stage in args.stages.items() if role != "crmnet"}
    with pytest.raises(CapacityError, match="the route match needs a stage crmnet, which is not configured"):
        route_of("match", args.model_copy(update={"stages": stages}))
