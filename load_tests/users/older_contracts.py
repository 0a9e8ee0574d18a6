"""Clients of the five older services. Each sends what its contract documents."""

from typing import Any
from uuid import uuid4

from load_tests.photos import pair_json
from load_tests.users.service_user import BY_ADDRESS, CHANCE, ServiceUser, does, photos_in, sends


def _compares(path: str) -> Any:
    return sends("POST", path, "compare", json=lambda user: pair_json(path, user.pair()))


class MatchUser(ServiceUser):
    """Compares pairs of photos with POST /match."""

    weight = 4
    tasks: Any = {_compares("/match"): 3}  # noqa: RUF012

    @does(1, "compare")
    def match_with_threshold(self) -> None:
        first, second = self.pair()
        image2 = f"data:{second.file[2]};base64,{second.base64}"
        self.ask("POST", "/match", json={"image1": first.base64, "image2": image2, "threshold": 0.7})

    @does(1, "compare", BY_ADDRESS)
    def match_by_address(self) -> None:
        body = {"image1": self.options.photo_url, "image2": self.photo().base64}
        # A separate line of the statistics, because its times include the other site's.
        self.ask("POST", "/match", name="/match by address", json=body)


class CompareUser(ServiceUser):
    """Compares pairs of photos, mostly with /mediapipe, as the older service recommended."""

    weight = 2
    tasks: Any = {_compares("/mediapipe"): 3, _compares("/compare"): 1}  # noqa: RUF012


class FaceDatabaseUser(ServiceUser):
    """Adds a few faces to one variant's database, looks people up, and deletes its faces at the end."""

    weight = 4
    tasks: Any = {  # noqa: RUF012
        sends("POST", "/match_face", "search", data=lambda user: user.variant, files=photos_in("file")): 10,
        **{sends("GET", path, "manage", params=lambda user: user.variant): 1 for path in ("/list_faces", "/stats")},
    }

    def on_start(self) -> None:
        self.variant = {"model": CHANCE.choice(("arcface", "facenet"))}
        self._ids = [f"load-{uuid4().hex}" for _ in range(5)]
        self._add(self._ids[0])

    def on_stop(self) -> None:
        """Delete every id, even if the response to its addition was lost."""
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
            first, second = (each["embedding"] for each in found)
            self.ask("POST", "/compare-faces", json={"embedding1": first, "embedding2": second})


class DeepfaceUser(ServiceUser):
    """Warms the DeepFace service up, extracts embeddings, and compares two of them."""

    weight = 2
    tasks: Any = {sends("GET", f"/api/v1/{name}", "manage"): 1 for name in ("health", "model-info")}  # noqa: RUF012

    def on_start(self) -> None:
        """Load the networks before the first photo, as the older service required."""
        self.ask("POST", "/api/v1/warm-up")

    @does(1, "embed")
    def extract(self) -> None:
        self._extract(image=self.photo().base64, enforce_detection=False, align=False)

    @does(1, "embed", BY_ADDRESS)
    def extract_by_address(self) -> None:
        self._extract(" by address", image=self.options.photo_url, image_type="url")

    @does(4, "embed", "compare")
    def compare(self) -> None:
        found = [self._extract(image=photo.base64) for photo in self.pair()]
        if all(found):
            first, second = (each["embedding"] for each in found)
            metric = CHANCE.choice(("cosine", "euclidean", "euclidean_l2"))
            body = {"embedding1": first, "embedding2": second, "distance_metric": metric}
            self.ask("POST", "/api/v1/compare-faces", json=body)

    def _extract(self, how: str = "", **body: Any) -> Any:
        path = "/api/v1/extract-embedding"
        return self.ask("POST", path, name=path + how, json=body)
