"""Clients that ask for everything at once and check every answer, while somebody breaks things."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import numpy as np

from load_tests.photos import Photo

COLLECTION = "/v1/collections/traffic"
PATIENCE_S = 60
"""How long a client waits for an answer, and everybody for the service to come back."""
PAUSE_S = 1.0
"""What a client waits after a failure: what the service's Retry-After asks for."""


class NotBackError(Exception):
    """Some kind of request is not answered any more."""


@dataclass(frozen=True)
class Failure:
    """A request without an answer: its kind, and the status and body or what became of the connection."""

    kind: str
    cause: str


@dataclass
class Traffic:
    """What clients asked of a service, and what came of it.

    Args:
        address: of the service.
        pair: two photos of one person.

    Attributes:
        answered: of each right answer the kind of request and when it was sent, by `time.monotonic`.
        failed: requests without an answer.
        wrong: the kinds of answers that were not right; nothing excuses them.
        acknowledged: the embeddings whose enrolment was acknowledged, by subject.
    """

    address: str
    pair: tuple[Photo, Photo]
    answered: list[tuple[str, float]] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    acknowledged: dict[str, "np.ndarray[Any, Any]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first, second = (photo.base64 for photo in self.pair)
        older = {"image1_base64": first, "image2_base64": second}
        self._pairs = {"/match": {"image1": first, "image2": second}, "/compare": older, "/mediapipe": older}
        self._kinds: dict[str, Callable[[httpx.Client], bool]] = {
            **{path.strip("/"): partial(self._compare, path) for path in self._pairs},
            "enrol": self._enrol,
            "search": self._search,
        }
        with self._client() as client:
            client.put(COLLECTION, json={}).raise_for_status()
            embedder = client.get("/v1/models").raise_for_status().json()["embedders"]["arcface"]
        self._contract, self._size = str(embedder["embedding_contract"]), int(embedder["embedding_dimensions"])
        self._numbers = itertools.count()
        self._over = threading.Event()

    @contextmanager
    def by(self, clients: int) -> Iterator[None]:
        """Let so many clients ask, until the end of the block."""
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
        """Until so many requests of each kind, sent from now on, are answered; else raises `NotBackError`."""
        now, seen = time.monotonic(), len(self.answered)
        while True:
            found = Counter(kind for kind, sent in self.answered[seen:] if sent >= now)
            missing = [kind for kind in self._kinds if found[kind] < count]
            if not missing:
                return
            if time.monotonic() > now + PATIENCE_S:
                raise NotBackError(f"{', '.join(missing)}; the last failures were {self.failed[-3:]}")
            time.sleep(0.05)

    def at(self, address: str) -> "Traffic":
        """The same, of the same service at another address."""
        return replace(self, address=address)

    def post(self, client: httpx.Client, path: str) -> httpx.Response:
        """Compare the pair once by ``/match``, ``/compare`` or ``/mediapipe``, whatever comes of it."""
        return client.post(path, json=self._pairs[path])

    def lost(self) -> list[str]:
        """The acknowledged subjects that are not found by their embeddings."""
        with self._client() as client:
            return [subject for subject in self.acknowledged if self._best(client, subject) != subject]

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=PATIENCE_S, trust_env=False)

    def _repeat(self, first: int) -> None:
        kinds = itertools.islice(itertools.cycle(self._kinds), first, None)
        with self._client() as client:
            while not self._over.is_set():
                kind, sent = next(kinds), time.monotonic()
                try:
                    right = self._kinds[kind](client)
                except (httpx.HTTPStatusError, httpx.TransportError) as error:
                    self.failed.append(Failure(kind, _cause(error)))
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
        subject, values = f"subject-{next(self._numbers)}", np.random.default_rng().standard_normal(self._size)
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


def _cause(error: httpx.HTTPStatusError | httpx.TransportError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} {error.response.text[:200]}"
    return repr(error)
