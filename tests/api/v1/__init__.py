"""What the tests of /v1 share: the app over photos that are words, with a real gallery in a folder."""

from typing import Any

import httpx

from api.settings import LimitArgs
from graphs.policy import Policy
from tests.fakes import LocalGallery, People, client

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
"""A face as it is answered."""
EMBEDDED = {**FACE, "crop": None}
"""One that was embedded."""
PHOTO = {"width": 640, "height": 480, "quality": {"brightness": 120, "contrast": 50, "sharpness": 100}}
"""A photo as it is answered."""
STAFF = "/v1/collections/staff"


class Api:
    """A client of the app, and the people whom its networks know."""

    def __init__(self, limits: LimitArgs | None = None, policy: Policy | None = None) -> None:
        self.people, self.gallery = People(), LocalGallery()
        self.stages = self.people.stages(self.gallery)
        self.client = client(self.stages, limits, policy)

    def get(self, path: str, **params: Any) -> httpx.Response:
        response: httpx.Response = self.client.get(path, params=params or None)
        return response

    def delete(self, path: str) -> httpx.Response:
        response: httpx.Response = self.client.delete(path)
        return response

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send JSON: an object, or text as it stands."""
        text = {"content": body} if isinstance(body, str) else {"json": body}
        given = {"content-type": "application/json", **{name.replace("_", "-"): headers[name] for name in headers}}
        response: httpx.Response = self.client.post(path, headers=given, **text)
        return response

    def make(self, name: str = "staff", **fields: Any) -> "Api":
        """Make a collection."""
        assert self.client.put(f"/v1/collections/{name}", json=fields).status_code == 201
        return self

    def send(self, path: str, *photos: str, **options: Any) -> httpx.Response:
        """Send photos, as `photo`, with options."""
        files = [("photo", (f"{words}.jpg", words.encode())) for words in photos]
        response: httpx.Response = self.client.post(path, files=files, params=options)
        return response

    def enrol(
        self, subject: str | list[str], *photos: str, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Enrol photos in the collection called staff."""
        files = [("photo", (f"{words}.jpg", words.encode())) for words in photos]
        response: httpx.Response = self.client.post(
            f"{STAFF}/faces", data={"subject": subject}, files=files, params=options, headers=headers
        )
        return response

    def subjects(self) -> list[str]:
        return [each["id"] for each in self.get(f"{STAFF}/subjects").json()["subjects"]]

    def found(self, photo: str, **options: Any) -> list[list[str]]:
        """The subjects that each face of a photo resembles."""
        answer = self.send(f"{STAFF}/search", photo, **options)
        assert answer.status_code == 200
        return [[candidate["subject"] for candidate in face["candidates"]] for face in answer.json()["faces"]]


def staff(**fields: Any) -> Api:
    """An app with one collection, which is empty."""
    return Api().make(**fields)


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, which has the form that all errors have."""
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
