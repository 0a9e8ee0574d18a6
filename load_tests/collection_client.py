"""Enrols, searches and lists embeddings in one collection over HTTP."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from urllib3 import BaseHTTPResponse, HTTPConnectionPool


class CollectionClient:
    """Sends embeddings to a collection, which is created if it is missing.

    Args:
        http: connections to the service. On two cores, httpx takes a millisecond more per request than urllib3.

    Attributes:
        size: number of numbers of an embedding.
    """

    def __init__(self, http: HTTPConnectionPool, collection: str, embedder: str) -> None:
        self._http, self._path = http, f"/v1/collections/{quote(collection, safe='')}"
        about = self._send("GET", "/v1/models").json()["embedders"][embedder]
        self._contract, self.size = about["embedding_contract"], int(about["embedding_dimensions"])
        self._send("PUT", self._path, json={"embedder": embedder})

    def enrol(self, faces: Iterable[tuple[str, NDArray[np.float32]]]) -> None:
        """Enrol (subject, embedding) pairs in one request."""
        rows = [{"subject": subject, "values": values.tolist()} for subject, values in faces]
        body = {"contract": self._contract, "embeddings": rows}
        self._send("POST", f"{self._path}/embeddings", json=body)

    def import_file(self, path: Path) -> None:
        """Enrol the faces in a file with an Arrow stream."""
        with path.open("rb") as file:
            headers = {"Content-Type": "application/vnd.apache.arrow.stream"}
            self._send("POST", f"{self._path}/import?contract={self._contract}", body=file, headers=headers)

    def drop(self) -> None:
        """Delete the collection with its faces."""
        self._send("DELETE", f"{self._path}?with_faces=true")

    def clean(self) -> None:
        """Erase the deleted faces of all collections."""
        self._send("POST", "/v1/gallery/clean")

    def delete(self, subject: str) -> None:
        """Delete a subject."""
        self._send("DELETE", f"{self._path}/subjects/{quote(subject, safe='')}")

    def list_subjects(self, after: str) -> None:
        """List up to 100 subjects whose ids follow `after`."""
        self._send("GET", f"{self._path}/subjects", fields={"after": after, "limit": "100"})

    def count(self) -> None:
        """Count the faces and subjects."""
        self._send("GET", self._path)

    def search_body(self, probe: NDArray[np.float32]) -> bytes:
        """Encode the body of a search. This is a separate step, so that it is not measured."""
        embedding = {"contract": self._contract, "values": probe.tolist()}
        return json.dumps({"embedding": embedding, "top_k": 1, "threshold": -1}).encode()

    def search(self, body: bytes) -> str:
        """Search with a body from `search_body`, and return the most similar subject."""
        headers = {"Content-Type": "application/json"}
        answer = self._send("POST", f"{self._path}/search/embedding", body=body, headers=headers)
        return str(answer.json()["candidates"][0]["subject"])

    def _send(self, method: str, path: str, **options: Any) -> BaseHTTPResponse:
        response = self._http.request(method, path, **options)
        if response.status >= 300:
            raise RuntimeError(f"{method} {path} was answered with {response.status}: {response.data!r}")
        return response
