"""A client of the face database's contract (seed 001), over fake networks and a real gallery in a folder."""

from typing import Any
from urllib.parse import quote

import httpx

from api.settings import LimitArgs
from tests.fakes import People, client
from tests.local_gallery import LocalGallery


class Database:
    """A client of the contract, as one of its variants; photos are words."""

    def __init__(self, variant: str | None = "arcface", limits: LimitArgs | None = None) -> None:
        self.people, self.gallery = People(), LocalGallery()
        self.stages = self.people.stages(self.gallery)
        self.client = client(self.stages, limits)
        self.said = {"model": variant} if variant else {}

    def add(self, face_id: str, photo: str) -> httpx.Response:
        files = {"file": (f"{photo}.jpg", photo.encode())}
        response: httpx.Response = self.client.post("/add_face", data={"id": face_id, **self.said}, files=files)
        return response

    def enrol(self, face_id: str, *photos: str) -> None:
        """Add further faces of an id by way of /v1."""
        files = [("photo", (f"{photo}.jpg", photo.encode())) for photo in photos]
        path = f"/v1/collections/faces-{self.said['model']}/faces"
        assert self.client.post(path, data={"subject": face_id}, files=files).status_code == 201

    def match(self, photo: str) -> httpx.Response:
        files = {"file": (f"{photo}.jpg", photo.encode())}
        response: httpx.Response = self.client.post("/match_face", data=self.said, files=files)
        return response

    def faces(self) -> list[str]:
        listed = self.client.get("/list_faces", params=self.said).json()
        assert listed["total_faces"] == len(listed["faces"])
        return [face["id"] for face in listed["faces"]]

    def delete(self, face_id: str) -> httpx.Response:
        # Starlette's client decodes an address twice, a server once.
        path = quote(face_id.replace("%", "%25"), safe="")
        response: httpx.Response = self.client.delete(f"/delete_face/{path}", params=self.said)
        return response

    def stats(self) -> Any:
        return self.client.get("/stats", params=self.said).json()


def error(response: httpx.Response) -> tuple[int, str]:
    """Status and detail of an error, which has the contract's form."""
    body = response.json()
    assert body.keys() == {"detail"}
    return response.status_code, str(body["detail"])
