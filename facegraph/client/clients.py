"""The two clients: the same calls over a blocking connection and over an asynchronous one."""

import asyncio
import time
from typing import Self, TypeVar

import httpx

from facegraph.client import collections as of_collections
from facegraph.client import enrolment, photos, service
from facegraph.client import search as of_search
from facegraph.client import subjects as of_subjects
from facegraph.client.call import Call
from facegraph.client.connection import connection
from facegraph.client.exchange import Exchange, Patience, Wait
from facegraph.client.methods import awaited, awaited_pages, blocking, blocking_pages

T = TypeVar("T")

RETRIES = 4
TIMEOUT_S = 60.0
DEADLINE_S = 120.0


class Client:
    """The service, for programs that wait for each answer. May be used by several threads.

    Every method raises `ServiceError` for an error that the service answers, `NoAnswerError` where none came, and
    `MalformedAnswerError` for an answer that is none of this service's. Requests that met overload, a limit of
    rate or a broken connection are repeated, after as many seconds as the service asks for.

    Args:
        base_url: of the service; ``FACEGRAPH_URL`` without one, or else ``http://localhost:8000``.
        api_key: ``FACEGRAPH_API_KEY`` without one, or else none.
        retries: attempts after the first.
        timeout: seconds to connect, and until the next part of an answer.
        deadline: seconds for one request with all its attempts; none is begun, or waited for, after it.
        transport: what requests go through, by default connections of its own; see httpx.

    Raises:
        ValueError: an address or a key that cannot be one.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        retries: int = RETRIES,
        timeout: float = TIMEOUT_S,
        deadline: float = DEADLINE_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = Patience(retries, timeout, deadline)
        self._http = httpx.Client(**connection(base_url, api_key), transport=transport)

    models = blocking(service.models)
    status = blocking(service.status)
    health = blocking(service.health)
    detect = blocking(photos.detect)
    embed = blocking(photos.embed)
    verify = blocking(photos.verify)
    compare = blocking(photos.compare)
    collections = blocking(of_collections.collections)
    collection = blocking(of_collections.collection)
    put_collection = blocking(of_collections.put_collection)
    delete_collection = blocking(of_collections.delete_collection)
    clean = blocking(of_collections.clean)
    enrol = blocking(enrolment.enrol)
    enrol_many = blocking_pages(enrolment.enrol_many)
    enrol_embeddings = blocking(enrolment.enrol_embeddings)
    search = blocking(of_search.search)
    search_embedding = blocking(of_search.search_embedding)
    subjects = blocking_pages(of_subjects.subjects)
    subject = blocking(of_subjects.subject)
    delete_subject = blocking(of_subjects.delete_subject)
    delete_subjects = blocking(of_subjects.delete_subjects)
    delete_face = blocking(of_subjects.delete_face)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({str(self._http.base_url)!r})"

    def send(self, call: Call[T]) -> T:
        """Ask until there is an answer, or no more patience; every method does by it what it does."""
        exchange = Exchange(call, self._patience)
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._http.request(**exchange.request())
            except httpx.RequestError as error:
                outcome = error
            result = exchange.judged(outcome)
            if not isinstance(result, Wait):
                return result
            time.sleep(result.seconds)


class AsyncClient:
    """The same for programs that do something else meanwhile: each method of `Client` is awaited, or iterated.

    Args and errors are those of `Client`. It belongs to one event loop of asyncio.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        retries: int = RETRIES,
        timeout: float = TIMEOUT_S,
        deadline: float = DEADLINE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience = Patience(retries, timeout, deadline)
        self._http = httpx.AsyncClient(**connection(base_url, api_key), transport=transport)

    models = awaited(service.models)
    status = awaited(service.status)
    health = awaited(service.health)
    detect = awaited(photos.detect)
    embed = awaited(photos.embed)
    verify = awaited(photos.verify)
    compare = awaited(photos.compare)
    collections = awaited(of_collections.collections)
    collection = awaited(of_collections.collection)
    put_collection = awaited(of_collections.put_collection)
    delete_collection = awaited(of_collections.delete_collection)
    clean = awaited(of_collections.clean)
    enrol = awaited(enrolment.enrol)
    enrol_many = awaited_pages(enrolment.enrol_many)
    enrol_embeddings = awaited(enrolment.enrol_embeddings)
    search = awaited(of_search.search)
    search_embedding = awaited(of_search.search_embedding)
    subjects = awaited_pages(of_subjects.subjects)
    subject = awaited(of_subjects.subject)
    delete_subject = awaited(of_subjects.delete_subject)
    delete_subjects = awaited(of_subjects.delete_subjects)
    delete_face = awaited(of_subjects.delete_face)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({str(self._http.base_url)!r})"

    async def send(self, call: Call[T]) -> T:
        """Ask until there is an answer, or no more patience; every method does by it what it does."""
        exchange = Exchange(call, self._patience)
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = await self._http.request(**exchange.request())
            except httpx.RequestError as error:
                outcome = error
            result = exchange.judged(outcome)
            if not isinstance(result, Wait):
                return result
            await asyncio.sleep(result.seconds)
