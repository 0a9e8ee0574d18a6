"""Enrols, searches and lists embeddings in one collection over HTTP."""

import json
from collections.abc import Iterable
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray


class CollectionClient:
    """Sends embeddings to a collection, which is created if it is missing.

    Attributes:
        kind: embedder, model, contract and size of its embeddings, as in an exported file.
    """

    def __init__(self, http: httpx.Client, collection: str, embedder: str) -> None:
        self._http, self._path = http, f"/v1/collections/{collection}"
        about = http.get("/v1/models").raise_for_status().json()["embedders"][embedder]
        self.kind = {
            "embedder": embedder,
            "model": about["model"],
            "contract": about["embedding_contract"],
            "size": about["embedding_dimensions"],
        }
        http.put(self._path, json={"embedder": embedder}).raise_for_status()

    def enrol(self, faces: Iterable[tuple[str, NDArray[np.float32]]]) -> None:
        """Enrol pairs of subject and embedding in one request."""
        rows = [{"subject": subject, "values": values.tolist()} for subject, values in faces]
        body = {"contract": self.kind["contract"], "embeddings": rows}
        self._http.post(f"{self._path}/embeddings", json=body).raise_for_status()

    def import_file(self, path: Path) -> None:
        """Enrol the faces in a Parquet file."""
        with path.open("rb") as file:
            headers = {"Content-Type": "application/vnd.apache.parquet"}
            self._http.post(f"{self._path}/import", content=file, headers=headers).raise_for_status()

    def drop(self) -> None:
        """Delete the collection with its faces."""
        self._http.delete(self._path, params={"with_faces": True}).raise_for_status()

    def clean(self) -> None:
        """Erase deleted faces of all collections."""
        self._http.post("/v1/gallery/clean").raise_for_status()

    def delete(self, subject: str) -> None:
        """Delete a subject."""
        self._http.delete(f"{self._path}/subjects/{subject}").raise_for_status()

    def list_subjects(self, after: str) -> None:
        """List 100 subjects."""
        self._http.get(f"{self._path}/subjects", params={"after": after, "limit": 100}).raise_for_status()

    def count(self) -> None:
        """Count the faces and subjects."""
        self._http.get(self._path).raise_for_status()

    def search_body(self, probe: NDArray[np.float32]) -> bytes:
        """Return the body of a search, so that encoding it is not measured."""
        embedding = {"contract": self.kind["contract"], "values": probe.tolist()}
        return json.dumps({"embedding": embedding, "top_k": 1, "threshold": -1}).encode()

    def search(self, body: bytes) -> str:
        """Return the most similar subject."""
        headers = {"Content-Type": "application/json"}
        answer = self._http.post(f"{self._path}/search/embedding", content=body, headers=headers).raise_for_status()
        return str(answer.json()["candidates"][0]["subject"])
