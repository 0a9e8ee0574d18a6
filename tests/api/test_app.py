"""What every request has for itself."""

from collections.abc import Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.service import Service
from graphs.policy import Policy
from graphs.stages import Detect, DetectorStage, Stages
from imaging.crops import CropSpec
from imaging.faces import Detection
from imaging.pick import Pick
from tests.fakes import People, is_ready, network, service

BEFORE = Policy(liveness_threshold=0.5, thresholds={"arcface": 0.5}, similarity_threshold=0.5, arcface_threshold=0.5)
AFTER = Policy(
    liveness_threshold=0.9,
    thresholds={"arcface": 0.9},
    similarity_threshold=0.9,
    arcface_threshold=0.9,
    pad_embeddings=False,
    enrol_min_brightness=250,
)
PHOTO = {"photo": b"anna"}
PAIR = {"photo1": b"anna", "photo2": b"anna-2"}


class Reconfigured:
    """A service whose policy changes whenever a photo has been looked at."""

    def __init__(self) -> None:
        people = People()
        self.stages = people.stages()
        self.service: Service = service(self._with(people.detect), policy=BEFORE)
        self.client = TestClient(create_app(self.service))

    def _with(self, detect: Detect) -> Stages:
        async def detect_and_change(photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick) -> Detection:
            found = await detect(photos, crops, pick)
            self.service.policy = AFTER
            return found

        changing = DetectorStage(network("detector"), is_ready, detect_and_change)
        return Stages({"mtcnn": changing}, self.stages.liveness, self.stages.embedders, self.stages.gallery)

    def post(self, path: str, **body: Any) -> Any:
        response = self.client.post(path, **body)
        assert response.is_success, response.text
        return response.json()


def applied(path: str, **body: Any) -> list[Any]:
    """What the policy decided in an answer during which it changed, and in the next one."""

    def decided(answer: Any) -> Any:
        faces = answer.get("faces") or [photo["face"] for photo in answer.get("photos", [])]
        threshold = answer.get("threshold")
        return (
            threshold["value"] if isinstance(threshold, dict) else threshold,
            {face["liveness"]["threshold"] for face in faces if face.get("liveness")},
        )

    app = Reconfigured()
    app.client.put("/v1/collections/staff", json={})
    return [decided(app.post(path, **body)) for _ in range(2)]


@pytest.mark.parametrize(
    ("path", "body", "before", "after"),
    [
        ("/v1/detect?liveness=report", {"files": PHOTO}, (None, {0.5}), (None, {0.9})),
        ("/v1/verify?liveness=report", {"files": PAIR}, (0.5, {0.5}), (0.9, {0.9})),
        ("/v1/collections/staff/search?liveness=report", {"files": PHOTO}, (0.5, {0.5}), (0.9, {0.9})),
        ("/match_face", {"files": {"file": b"anna"}}, (0.5, set()), (0.9, set())),
    ],
)
def test_a_request_keeps_the_policy_that_it_began_with(path: str, body: Any, before: Any, after: Any) -> None:
    assert applied(path, **body) == [before, after]


def test_an_enrolment_is_judged_and_answered_by_one_policy() -> None:
    app = Reconfigured()
    app.client.put("/v1/collections/staff", json={})
    enrol = "/v1/collections/staff/faces?liveness=report&quality=report"
    first, second = (
        app.post(enrol, data={"subject": "anna"}, files={"photo": photo})["photos"][0] for photo in (b"anna", b"anna-2")
    )
    assert ([reason["code"] for reason in first["reasons"]], first["face"]["liveness"]["live"]) == ([], True)
    assert [reason["code"] for reason in second["reasons"]] == ["FACE_TOO_DARK", "NOT_LIVE"]
    assert second["face"]["liveness"]["live"] is False


def test_an_embedding_and_its_size_are_of_one_policy() -> None:
    app = Reconfigured()
    for dimensions in (512, 3):
        answer = app.post("/extract-embedding", files={"image": b"anna"})
        assert len(answer["embedding"]) == answer["dimensions"] == dimensions
