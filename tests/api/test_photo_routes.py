"""What every route that takes a photo answers if it cannot use the photo, or if its stages are missing."""

from typing import Any

import pytest

from api.settings import LimitArgs
from graphs.stages import DetectionRequest, Stages
from imaging.faces import Detection
from project.request_error import RequestError
from tests.fakes import FakeDetector, changed, client, photo, stages, with_stages, without

TEXT, PHOTO = "QUJD" * 3, b"ABC" * 3
OLDER: dict[str, Any] = {
    "/match": {"json": {"image1": TEXT, "image2": TEXT}},
    "/compare": {"json": {"image1_base64": TEXT, "image2_base64": TEXT}},
    "/mediapipe": {"json": {"image1_base64": TEXT, "image2_base64": TEXT}},
    "/detect-face": {"files": {"image": PHOTO}},
    "/extract-embedding": {"files": {"image": PHOTO}},
    "/api/v1/extract-embedding": {"json": {"image": TEXT}},
    "/add_face": {"data": {"id": "jane"}, "files": {"file": PHOTO}},
    "/match_face": {"files": {"file": PHOTO}},
}
V1: dict[str, Any] = {
    "/v1/detect": {"files": {"photo": PHOTO}},
    "/v1/embed": {"files": {"photo": PHOTO}},
    "/v1/verify": {"files": {"photo1": PHOTO, "photo2": PHOTO}},
    "/v1/verify/many": {"files": {"reference": PHOTO, "photo": PHOTO}},
}
ROUTES = pytest.mark.parametrize(("path", "sent"), {**OLDER, **V1}.items())


class Uniform(FakeDetector):
    """A detector that finds the same faces in each photo."""

    async def __call__(self, question: DetectionRequest) -> Detection:
        self.photos = self.photos[:1] * len(question.photos)
        return await super().__call__(question)


def every_stage(detect: FakeDetector) -> Stages:
    made = stages(detect)
    return with_stages(
        made,
        changed(made.detectors["mtcnn"], role="mediapipe"),
        changed(made.networks["arcface"], role="facenet"),
    )


@ROUTES
def test_a_photo_that_is_too_large_reaches_no_stage(path: str, sent: Any) -> None:
    looks = Uniform(photo())
    response = client(every_stage(looks), LimitArgs(max_image_size=6)).post(path, **sent)
    assert response.status_code == (422 if path in V1 else 400)
    assert "The image exceeds the limit of 6 bytes" in response.text
    assert looks.calls == []


@ROUTES
def test_a_damaged_photo_of_the_greatest_size_is_refused_with_the_reason(path: str, sent: Any) -> None:
    damaged = every_stage(Uniform(RequestError("INVALID_IMAGE", "The image is damaged")))
    response = client(damaged, LimitArgs(max_image_size=9)).post(path, **sent)
    assert response.status_code == (422 if path in V1 else 400)
    assert "The image is damaged" in response.text


@pytest.mark.parametrize(("path", "sent"), OLDER.items())
def test_an_older_contract_without_its_stages_is_a_503_that_names_them(path: str, sent: Any) -> None:
    whole = every_stage(Uniform(photo()))
    for task in ("detector", "embedder") if path != "/detect-face" else ("detector",):
        response = client(without(whole, task)).post(path, **sent)
        assert response.status_code == 503
        assert "No stage " in response.text
