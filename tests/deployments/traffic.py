"""Clients that check every answer of a service while a test breaks something."""

import base64
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import numpy as np

COLLECTION = "/v1/collections/traffic"
PATHS = ("/match", "/compare", "/mediapipe")
KINDS = (*PATHS, "enrol", "search")
TIMEOUT_S = 60
"""Seconds to wait for an answer, and for all kinds of requests to be answered again."""
PAUSE_S = 1.0
"""Seconds a client waits after a failure, as Retry-After asks."""


@dataclass
class Traffic:
    """Requests that clients send to a service, and their results.

    Args:
        address: base URL of the service.
        pair: two encoded photos of one person.
        kinds: kinds of requests to send.

    Attributes:
        answered: kind and sending time (`time.monotonic`) of each correct answer.
        failed: kind and cause of each request without an answer: its status and body, or the broken connection.
        wrong: kinds of the incorrect answers.
        acknowledged: embeddings of the acknowledged enrolments, by subject.
    """

    address: str
    pair: tuple[bytes, bytes]
    kinds: Sequence[str] = KINDS
    answered: list[tuple[str, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    acknowledged: dict[str, "np.ndarray[Any, Any]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self._client() as client:
            client.put(COLLECTION, json={}).raise_for_status()
            embedder = client.get("/v1/models").raise_for_status().json()["embedders"]["arcface"]
        self._contract, self._size = str(embedder["embedding_contract"]), int(embedder["embedding_dimensions"])
        self._over = threading.Event()

    @contextmanager
    def by(self, clients: int) -> Iterator[None]:
        """Send requests with this number of clients until the block ends."""
        self._over.clear()
        threads = [threading.Thread(target=self._repeat, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def wait_for(self, count: int) -> None:
        """Wait until `count` requests of each kind, sent from now on, have been answered."""
        now, seen = time.monotonic(), len(self.answered)
        while True:
            found = Counter(kind for kind, sent in self.answered[seen:] if sent >= now)
            if not (missing := [kind for kind in self.kinds if found[kind] < count]):
                return
            assert time.monotonic() < now + TIMEOUT_S, f"no answer to {missing}; last failures: {self.failed[-3:]}"
            time.sleep(0.05)

    def post(self, client: httpx.Client, path: str) -> httpx.Response:
        """Compare the pair once, at one of `PATHS`."""
        names = ("image1", "image2") if path == "/match" else ("image1_base64", "image2_base64")
        encoded = (base64.b64encode(photo).decode() for photo in self.pair)
        return client.post(path, json=dict(zip(names, encoded, strict=True)))

    def lost(self) -> set[str]:
        """The acknowledged subjects that a search with their own embeddings does not find."""
        with self._client() as client:
            return {subject for subject in self.acknowledged if not self._finds(client, subject)}

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=TIMEOUT_S, trust_env=False)

    def _repeat(self, first: int) -> None:
        kinds = itertools.islice(itertools.cycle(self.kinds), first, None)
        with self._client() as client:
            while not self._over.is_set():
                kind, sent = next(kinds), time.monotonic()
                try:
                    if self._is_right(client, kind):
                        self.answered.append((kind, sent))
                    else:
                        self.wrong.append(kind)
                except httpx.HTTPStatusError as error:
                    self.failed.append(f"{kind}: {error.response.status_code} {error.response.text[:200]}")
                    self._over.wait(PAUSE_S)
                except httpx.TransportError as error:
                    self.failed.append(f"{kind}: {error!r}")
                    self._over.wait(PAUSE_S)

    def _is_right(self, client: httpx.Client, kind: str) -> bool:
        """Send a request; return whether its answer is correct."""
        if kind == "enrol" or (kind == "search" and not self.acknowledged):
            subject, values = uuid4().hex, np.random.default_rng().standard_normal(self._size)
            body = {"contract": self._contract, "embeddings": [{"subject": subject, "values": values.tolist()}]}
            answer = client.post(f"{COLLECTION}/embeddings", json=body).raise_for_status().json()
            self.acknowledged[subject] = values
            return bool(answer["enrolled"] == 1)
        if kind == "search":
            return self._finds(client, next(reversed(self.acknowledged)))
        answer = self.post(client, kind).raise_for_status().json()
        similarity = answer["similarity_score" if kind == "/match" else "similarity"]
        return answer["match"] is True and 0.6 < similarity < 0.8

    def _finds(self, client: httpx.Client, subject: str) -> bool:
        embedding = {"contract": self._contract, "values": self.acknowledged[subject].tolist()}
        body = {"embedding": embedding, "top_k": 1}
        answer = client.post(f"{COLLECTION}/search/embedding", json=body).raise_for_status().json()
        return [each["subject"] for each in answer["candidates"]] == [subject]


def replica(deployment: str) -> str:
    """Text in the command lines of a deployment's replicas."""
    return f"ServeReplica:facegraph:{deployment}"
