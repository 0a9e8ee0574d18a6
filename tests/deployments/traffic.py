"""Clients that check every answer of a service while a test breaks something."""

import base64
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
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
"""Seconds a client waits after a failure, as the service's Retry-After asks."""


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
            missing = [kind for kind in self.kinds if found[kind] < count]
            if not missing:
                return
            assert time.monotonic() < now + TIMEOUT_S, f"no answer to {missing}; last failures: {self.failed[-3:]}"
            time.sleep(0.05)

    def post(self, client: httpx.Client, path: str) -> httpx.Response:
        """Compare the pair once, at one of `PATHS`."""
        names = ("image1", "image2") if path == "/match" else ("image1_base64", "image2_base64")
        encoded = (base64.b64encode(photo).decode() for photo in self.pair)
        return client.post(path, json=dict(zip(names, encoded, strict=True)))

    def lost(self) -> list[str]:
        """The acknowledged subjects that a search with their own embeddings does not find."""
        with self._client() as client:
            return [subject for subject in self.acknowledged if self._best(client, subject) != subject]

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=TIMEOUT_S, trust_env=False)

    def _repeat(self, first: int) -> None:
        calls: dict[str, Callable[[httpx.Client], bool]] = {path: partial(self._compare, path) for path in PATHS}
        calls |= {"enrol": self._enrol, "search": self._search}
        kinds = itertools.islice(itertools.cycle(self.kinds), first, None)
        with self._client() as client:
            while not self._over.is_set():
                kind, sent = next(kinds), time.monotonic()
                try:
                    right = calls[kind](client)
                except (httpx.HTTPStatusError, httpx.TransportError) as error:
                    self.failed.append(f"{kind}: {_cause(error)}")
                    self._over.wait(PAUSE_S)
                    continue
                if right:
                    self.answered.append((kind, sent))
                else:
                    self.wrong.append(kind)

    def _compare(self, path: str, client: httpx.Client) -> bool:
        answer = self.post(client, path).raise_for_status().json()
        similarity = answer["similarity_score" if path == "/match" else "similarity"]
        return answer["match"] is True and 0.6 < similarity < 0.8

    def _enrol(self, client: httpx.Client) -> bool:
        subject, values = uuid4().hex, np.random.default_rng().standard_normal(self._size)
        body = {"contract": self._contract, "embeddings": [{"subject": subject, "values": values.tolist()}]}
        answer = client.post(f"{COLLECTION}/embeddings", json=body).raise_for_status().json()
        self.acknowledged[subject] = values
        return bool(answer["enrolled"] == 1)

    def _search(self, client: httpx.Client) -> bool:
        if not self.acknowledged:
            return self._enrol(client)
        subject = next(reversed(self.acknowledged))
        return self._best(client, subject) == subject

    def _best(self, client: httpx.Client, subject: str) -> str | None:
        embedding = {"contract": self._contract, "values": self.acknowledged[subject].tolist()}
        body = {"embedding": embedding, "top_k": 1}
        answer = client.post(f"{COLLECTION}/search/embedding", json=body).raise_for_status().json()
        return next((str(each["subject"]) for each in answer["candidates"]), None)


def replica(deployment: str) -> str:
    """Text in the command lines of a deployment's replicas."""
    return f"ServeReplica:facegraph:{deployment}"


def _cause(error: httpx.HTTPStatusError | httpx.TransportError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} {error.response.text[:200]}"
    return repr(error)
