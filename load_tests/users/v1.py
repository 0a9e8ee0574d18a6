"""Simulated /v1 clients and operators."""

from typing import Any
from uuid import uuid4

import pyarrow as pa

from load_tests.users.service_user import CHANCE, ServiceUser, does, photos_in, sends

NAMED = "/v1/collections/[name]"
SUBJECTS = 20
"""Maximum number of subjects that one user enrols from photos."""
OTHERS = 5
"""Number of photos that a reference photo is compared with in one request."""
BATCH = 10
"""Number of embeddings enrolled in one request."""


class PhotosUser(ServiceUser):
    """Detects and embeds faces, verifies pairs and several photos, and compares embeddings."""

    weight = 3
    tasks: Any = {  # noqa: RUF012
        sends("POST", "/v1/detect", "detect", params=lambda _: {"liveness": "report"}, files=photos_in("photo")): 2,
        sends("GET", "/v1/models", "manage"): 1,
    }

    @does(4, "compare")
    def verify(self) -> None:
        params = {"liveness": "report", "metric": CHANCE.choice(("cosine", "euclidean"))}
        self.ask("POST", "/v1/verify", params=params, files=photos_in("photo1", "photo2")(self))

    @does(1, "compare")
    def verify_many(self) -> None:
        files = [("reference", self.photo().file), *(("photo", self.photo().file) for _ in range(OTHERS))]
        self.ask("POST", "/v1/verify/many", files=files)

    @does(2, "embed", "compare")
    def compare(self) -> None:
        first, second = embedding(self), embedding(self)
        if first and second:
            self.ask("POST", "/v1/compare", json={"embedding1": first, "embedding2": second})


class GalleryUser(ServiceUser):
    """Enrols people in its own collection, searches it, and deletes it at the end."""

    weight = 4
    _created = False
    _embedding: Any = None

    def on_start(self) -> None:
        self._path = f"/v1/collections/load-{uuid4().hex}"
        self._enrol("person-0")

    def on_stop(self) -> None:
        """Delete the collection, even if the response to its creation was lost."""
        self.take_back(self._path, NAMED, with_faces="true")

    @does(10, "search")
    def search(self) -> None:
        self._ask("POST", "/search", params={"top_k": "3"}, files={"photo": self.photo().file})

    @does(4, "search")
    def search_embedding(self) -> None:
        if found := self._own_embedding():
            self._ask("POST", "/search/embedding", json={"embedding": found, "top_k": 3})

    @does(2, "search")
    def verify(self) -> None:
        # Enrolled here, because an earlier enrolment may have failed.
        if self._enrol("person-0"):
            form: dict[str, Any] = {"data": {"subject": "person-0"}, "files": {"photo": self.photo().file}}
            self._ask("POST", "/verify", **form)
            if found := self._own_embedding():
                self._ask("POST", "/verify/embedding", json={"subject": "person-0", "embedding": found})

    @does(3, "enrol")
    def enrol(self) -> None:
        self._enrol(f"person-{CHANCE.randrange(SUBJECTS)}")

    @does(1, "enrol")
    def enrol_embeddings(self) -> None:
        if found := self._own_embedding():
            values = [[value + CHANCE.gauss(0, 0.01) for value in found["values"]] for _ in range(BATCH)]
            rows = [{"subject": f"copy-{number}", "values": each} for number, each in enumerate(values)]
            body = {"contract": found["contract"], "embeddings": rows, "replace": True}
            self._ask("POST", "/embeddings", expected=(201,), json=body)

    @does(1, "enrol")
    def import_embeddings(self) -> None:
        if found := self._own_embedding():
            vectors = pa.array([found["values"]], pa.list_(pa.float32(), len(found["values"])))
            rows, stream = pa.record_batch({"subject": ["imported"], "vector": vectors}), pa.BufferOutputStream()
            with pa.ipc.new_stream(stream, rows.schema) as writer:
                writer.write_batch(rows)
            sent = {"data": stream.getvalue().to_pybytes(), "params": {"contract": found["contract"]}}
            headers = {"Content-Type": "application/vnd.apache.arrow.stream"}
            self._ask("POST", "/import", expected=(200, 201), headers=headers, **sent)

    @does(2, "manage")
    def describe(self) -> None:
        self._ask("GET")
        self._ask("GET", "/subjects", params={"limit": "100"})

    @does(1, "manage")
    def rename(self) -> None:
        # Use new ids: once an id has been renamed, enrolling the same photo under it again has no effect.
        former, new = f"guest-{uuid4().hex}", f"guest-{uuid4().hex}"
        if self._enrol(former) and self._enrol("person-0"):
            self._ask("PATCH", f"/subjects/{former}", "/subjects/[id]", json={"metadata": {"visits": 1}})
            if self._ask("POST", "/subjects/rename", json={"subject": former, "new": new}):
                self._ask("POST", "/subjects/merge", json={"subjects": [new], "into": "person-0"})

    @does(2, "manage")
    def leave(self) -> None:
        if self._enrol("leaver") and (found := self._ask("GET", "/subjects/leaver", "/subjects/[id]")):
            self._ask("DELETE", f"/faces/{found['faces'][0]['face_id']}", "/faces/[id]")
        if self._enrol("leaver"):
            self._ask("DELETE", "/subjects/leaver", "/subjects/[id]")
        self._ask("POST", "/subjects/delete", json={"ids": ["person-1", "person-2"]})

    def _ask(self, method: str, below: str = "", named: str = "", **request: Any) -> Any:
        """Send a request to this user's collection, creating it on the first call. `named` is `below` without ids."""
        if not self._created:
            self._created = bool(self.ask("PUT", self._path, name=NAMED, json={}, expected=(200, 201)))
        return self._created and self.ask(method, self._path + below, name=NAMED + (named or below), **request)

    def _enrol(self, subject: str) -> Any:
        # 200: this photo of the subject is already enrolled.
        form: dict[str, Any] = {"data": {"subject": subject}, "files": {"photo": self.photo().file}}
        return self._ask("POST", "/faces", expected=(200, 201), headers={"Idempotency-Key": uuid4().hex}, **form)

    def _own_embedding(self) -> Any:
        """Return an embedding to search with, extracted once."""
        self._embedding = self._embedding or embedding(self)
        return self._embedding


def embedding(user: ServiceUser) -> Any:
    """Return the embedding of a random photo's face from POST /v1/embed; None if no face is found."""
    found = user.ask("POST", "/v1/embed", files={"photo": user.photo().file})
    return found["faces"][0]["embedding"] if found and found["faces"] else None


class OperatorUser(ServiceUser):
    """Polls health and metrics, lists collections, and erases deleted faces."""

    tasks: Any = {  # noqa: RUF012
        sends("GET", "/health", "manage"): 10,
        **{sends("GET", path, "manage"): 2 for path in ("/livez", "/readyz", "/v1/status", "/v1/collections")},
        **{sends("GET", path, "manage"): 1 for path in ("/metrics", "/")},
        sends("POST", "/v1/gallery/clean", "manage"): 1,
    }
