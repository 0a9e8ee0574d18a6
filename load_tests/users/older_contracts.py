"""Clients of the five older services. Each sends what its contract documents."""

from typing import Any
from uuid import uuid4

from locust.env import Environment

from load_tests.photos import pair_json
from load_tests.users.service_user import BY_ADDRESS, CHANCE, ServiceUser, does, photos_in, sends

_EXTRACT = "/api/v1/extract-embedding"


def _compares(path: str) -> Any:
    return sends("POST", path, "compare", json=lambda user: pair_json(path, user.pair()))


def _variant(user: Any) -> Any:
    return user.variant


def _with_threshold(user: ServiceUser) -> dict[str, Any]:
    first, second = user.pair()
    return {"image1": first.base64, "image2": f"data:{second.file[2]};base64,{second.base64}", "threshold": 0.7}


def _address_and_photo(user: ServiceUser) -> dict[str, Any]:
    return {"image1": user.options.photo_url, "image2": user.photo().base64}


def _address(user: ServiceUser) -> dict[str, Any]:
    return {"image": user.options.photo_url, "image_type": "url"}


def _embeddings(found: list[Any]) -> dict[str, Any]:
    return {f"embedding{number}": each["embedding"] for number, each in enumerate(found, 1)}


def _any_face(user: ServiceUser) -> dict[str, Any]:
    return {"image": user.photo().base64, "enforce_detection": False, "align": False}


class MatchUser(ServiceUser):
    """Compares pairs of photos with POST /match."""

    weight = 4
    tasks: Any = {  # noqa: RUF012
        _compares("/match"): 3,
        sends("POST", "/match", "compare", json=_with_threshold): 1,
        # A line of its own, because it includes the other site's time.
        sends("POST", "/match", "compare", BY_ADDRESS, name="/match by address", json=_address_and_photo): 1,
    }


class CompareUser(ServiceUser):
    """Compares pairs of photos, mostly with /mediapipe, as the older service recommended."""

    weight = 2
    tasks: Any = {_compares("/mediapipe"): 3, _compares("/compare"): 1}  # noqa: RUF012


class FaceDatabaseUser(ServiceUser):
    """Adds a few faces to one variant's database, looks people up, and deletes its faces at the end."""

    weight = 4
    tasks: Any = {  # noqa: RUF012
        sends("POST", "/match_face", "search", data=_variant, files=photos_in("file")): 10,
        sends("GET", "/list_faces", "manage", params=_variant): 1,
        sends("GET", "/stats", "manage", params=_variant): 1,
    }

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.variant = {"model": CHANCE.choice(("arcface", "facenet"))}
        self._ids = [f"load-{uuid4().hex}" for _ in range(5)]

    def on_start(self) -> None:
        """Add a face, so that the database is not empty."""
        self._add(self._ids[0])

    def on_stop(self) -> None:
        """Delete every id, even if the answer to its addition was lost."""
        for face_id in self._ids:
            self.take_back(f"/delete_face/{face_id}", "/delete_face/[id]", **self.variant)

    @does(3, "enrol")
    def add_face(self) -> None:
        self._add(CHANCE.choice(self._ids))

    @does(1, "manage")
    def delete_face(self) -> None:
        if self._add(self._ids[-1]):
            self.ask("DELETE", f"/delete_face/{self._ids[-1]}", name="/delete_face/[id]", params=self.variant)

    def _add(self, face_id: str) -> Any:
        return self.ask("POST", "/add_face", data={"id": face_id, **self.variant}, files={"file": self.photo().file})


class FacesUser(ServiceUser):
    """Counts faces, extracts embeddings, and compares two of them."""

    weight = 2
    tasks: Any = {sends("POST", "/detect-face", "detect", files=photos_in("image")): 2}  # noqa: RUF012

    @does(3, "embed", "compare")
    def compare(self) -> None:
        found = [self.ask("POST", "/extract-embedding", files={"image": photo.file}) for photo in self.pair()]
        if all(found):
            self.ask("POST", "/compare-faces", json=_embeddings(found))


class DeepfaceUser(ServiceUser):
    """Warms the DeepFace service up, extracts embeddings, and compares two of them."""

    weight = 2
    tasks: Any = {  # noqa: RUF012
        sends("POST", _EXTRACT, "embed", json=_any_face): 1,
        sends("POST", _EXTRACT, "embed", BY_ADDRESS, name=f"{_EXTRACT} by address", json=_address): 1,
        sends("GET", "/api/v1/health", "manage"): 1,
        sends("GET", "/api/v1/model-info", "manage"): 1,
    }

    def on_start(self) -> None:
        """Load the networks before the first photo, as the older service required."""
        self.ask("POST", "/api/v1/warm-up")

    @does(4, "embed", "compare")
    def compare(self) -> None:
        found = [self.ask("POST", _EXTRACT, json={"image": photo.base64}) for photo in self.pair()]
        if all(found):
            metric = CHANCE.choice(("cosine", "euclidean", "euclidean_l2"))
            self.ask("POST", "/api/v1/compare-faces", json={**_embeddings(found), "distance_metric": metric})
