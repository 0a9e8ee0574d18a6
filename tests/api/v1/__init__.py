"""A client of /v1 over photos that are words and a real gallery."""

from typing import Any

import httpx

from api.settings import LimitArgs
from graphs.flow_settings import FlowSettings
from tests.fakes import People, client
from tests.local_gallery import LocalGallery

FACE = {
    "box": {"left": 30, "top": 30, "width": 80, "height": 90},
    "score": 0.99,
    "landmarks": {
        "left_eye": [40, 50],
        "right_eye": [80, 50],
        "nose": [60, 72],
        "left_mouth": [45, 95],
        "right_mouth": [75, 95],
    },
    "quality": {"brightness": 120, "contrast": 50, "sharpness": 100},
    "liveness": None,
    "pose": None,
    "eyes": None,
}
"""A face in an answer."""
EMBEDDED = {**FACE, "crop": None}
"""An embedded face in an answer."""
PHOTO = {"width": 640, "height": 480, "quality": {"brightness": 120, "contrast": 50, "sharpness": 100}}
"""A photo in an answer."""
MODELS = {"detector": "detector-model", "liveness": None, "embedder": "embedder-model", "pose": None, "eyes": None}
"""The models of an answer for which faces were only detected and embedded."""
STAFF = "/v1/collections/staff"


class Api:
    """A client of the app over `People`."""

    def __init__(self, limits: LimitArgs | None = None, settings: FlowSettings | None = None) -> None:
        self.people, self.gallery = People(), LocalGallery()
        self.stages = self.people.stages(self.gallery)
        self.client = client(self.stages, limits, settings)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params or None)

    def delete(self, path: str) -> httpx.Response:
        return self.client.delete(path)

    def post(self, path: str, body: Any) -> httpx.Response:
        """Send JSON."""
        return self.client.post(path, json=body)

    def make(self, name: str = "staff", **fields: Any) -> "Api":
        """Create a collection."""
        assert self.client.put(f"/v1/collections/{name}", json=fields).status_code == 201
        return self

    def send(self, path: str, *photos: str, **options: Any) -> httpx.Response:
        """Send photos with options."""
        files = [("photo", (f"{words}.jpg", words.encode())) for words in photos]
        return self.client.post(path, files=files, params=options)

    def enrol(
        self, subject: str | list[str], *photos: str, headers: Any = None, metadata: str | None = None, **options: Any
    ) -> httpx.Response:
        """Enrol photos in the collection called staff."""
        files = [("photo", (f"{words}.jpg", words.encode())) for words in photos]
        data = {"subject": subject, **({} if metadata is None else {"metadata": metadata})}
        sent: dict[str, Any] = {"data": data, "files": files, "params": options, "headers": headers}
        return self.client.post(f"{STAFF}/faces", **sent)

    def subjects(self) -> list[str]:
        return [each["id"] for each in self.get(f"{STAFF}/subjects").json()["subjects"]]

    def found(self, photo: str, **options: Any) -> list[list[str]]:
        """The candidates of each face of a photo."""
        answer = self.send(f"{STAFF}/search", photo, **options)
        assert answer.status_code == 200
        return [[candidate["subject"] for candidate in face["candidates"]] for face in answer.json()["faces"]]


def staff(**fields: Any) -> Api:
    """A client with an empty collection called staff."""
    return Api().make(**fields)


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an error in the envelope."""
    body = response.json()
    assert body.keys() == {"error", "request_id"}
    assert body["error"].keys() == {"code", "message", "details"}
    assert body["error"]["message"]
    assert isinstance(body["error"]["details"], dict)
    assert len(body["request_id"]) == 32
    return response.status_code, body["error"]["code"]


def message(response: httpx.Response) -> str:
    refusal(response)
    return str(response.json()["error"]["message"])
