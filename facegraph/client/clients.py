"""The two clients: the same methods over blocking and over async connections."""

from asyncio import sleep as async_sleep
from time import sleep
from typing import Self, TypeVar

import httpx

from facegraph.client import collections as collection_calls
from facegraph.client import enrolment, imports, photos, service, verification
from facegraph.client import search as search_calls
from facegraph.client import subjects as subject_calls
from facegraph.client.api_call import ApiCall
from facegraph.client.http_options import http_options
from facegraph.client.methods import awaited, awaited_pages, blocking, blocking_pages
from facegraph.client.retries import Attempts, RetryAfter, RetryPolicy

T = TypeVar("T")

RETRIES = 4
TIMEOUT_S = 60.0
DEADLINE_S = 120.0


class Client:
    """Blocking client of the service. Threads may share it.

    Every method raises `ServiceError` if the service responds with an error, `NoAnswerError` if there is no response,
    and `MalformedAnswerError` if the response does not follow the API. Overload, rate limits and broken connections are
    retried, after the delay requested by the service.

    Args:
        base_url: the service's address; defaults to ``FACEGRAPH_URL``, then to ``http://localhost:8000``.
        api_key: defaults to ``FACEGRAPH_API_KEY``, then to none.
        retries: attempts after the first.
        timeout: seconds to connect, and for each read or write.
        deadline: seconds for one request including all retries.
        transport: an httpx transport to send requests through.

    Raises:
        ValueError: the URL or the key is malformed.
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
        self._policy = RetryPolicy(retries, timeout, deadline)
        self._http = httpx.Client(**http_options(base_url, api_key), transport=transport)

    models = blocking(service.models)
    status = blocking(service.status)
    health = blocking(service.health)
    detect = blocking(photos.detect)
    embed = blocking(photos.embed)
    verify = blocking(photos.verify)
    verify_many = blocking(photos.verify_many)
    compare = blocking(photos.compare)
    collections = blocking(collection_calls.collections)
    collection = blocking(collection_calls.collection)
    put_collection = blocking(collection_calls.put_collection)
    delete_collection = blocking(collection_calls.delete_collection)
    clean = blocking(collection_calls.clean)
    enrol = blocking(enrolment.enrol)
    enrol_many = blocking_pages(enrolment.enrol_many)
    enrol_embeddings = blocking(enrolment.enrol_embeddings)
    import_embeddings = blocking(imports.import_embeddings)
    search = blocking(search_calls.search)
    search_embedding = blocking(search_calls.search_embedding)
    verify_subject = blocking(verification.verify_subject)
    verify_subject_embedding = blocking(verification.verify_subject_embedding)
    subjects = blocking_pages(subject_calls.subjects)
    subject = blocking(subject_calls.subject)
    set_metadata = blocking(subject_calls.set_metadata)
    rename_subject = blocking(subject_calls.rename_subject)
    merge_subjects = blocking(subject_calls.merge_subjects)
    delete_subject = blocking(subject_calls.delete_subject)
    delete_subjects = blocking(subject_calls.delete_subjects)
    delete_face = blocking(subject_calls.delete_face)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({str(self._http.base_url)!r})"

    def send(self, call: ApiCall[T]) -> T:
        """Send a call, with retries. All other methods use this one."""
        attempts = Attempts(call, self._policy)
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._http.request(**attempts.next_request())
            except httpx.RequestError as error:
                outcome = error
            result = attempts.result(outcome)
            if not isinstance(result, RetryAfter):
                return result
            sleep(result.seconds)


class AsyncClient:
    """asyncio client of the service: the methods of `Client`, to be awaited or iterated with ``async for``.

    Arguments and errors are the same as in `Client`. An instance belongs to one event loop.
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
        self._policy = RetryPolicy(retries, timeout, deadline)
        self._http = httpx.AsyncClient(**http_options(base_url, api_key), transport=transport)

    models = awaited(service.models)
    status = awaited(service.status)
    health = awaited(service.health)
    detect = awaited(photos.detect)
    embed = awaited(photos.embed)
    verify = awaited(photos.verify)
    verify_many = awaited(photos.verify_many)
    compare = awaited(photos.compare)
    collections = awaited(collection_calls.collections)
    collection = awaited(collection_calls.collection)
    put_collection = awaited(collection_calls.put_collection)
    delete_collection = awaited(collection_calls.delete_collection)
    clean = awaited(collection_calls.clean)
    enrol = awaited(enrolment.enrol)
    enrol_many = awaited_pages(enrolment.enrol_many)
    enrol_embeddings = awaited(enrolment.enrol_embeddings)
    import_embeddings = awaited(imports.import_embeddings)
    search = awaited(search_calls.search)
    search_embedding = awaited(search_calls.search_embedding)
    verify_subject = awaited(verification.verify_subject)
    verify_subject_embedding = awaited(verification.verify_subject_embedding)
    subjects = awaited_pages(subject_calls.subjects)
    subject = awaited(subject_calls.subject)
    set_metadata = awaited(subject_calls.set_metadata)
    rename_subject = awaited(subject_calls.rename_subject)
    merge_subjects = awaited(subject_calls.merge_subjects)
    delete_subject = awaited(subject_calls.delete_subject)
    delete_subjects = awaited(subject_calls.delete_subjects)
    delete_face = awaited(subject_calls.delete_face)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({str(self._http.base_url)!r})"

    async def send(self, call: ApiCall[T]) -> T:
        """Send a call, with retries. All other methods use this one."""
        attempts = Attempts(call, self._policy)
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = await self._http.request(**attempts.next_request())
            except httpx.RequestError as error:
                outcome = error
            result = attempts.result(outcome)
            if not isinstance(result, RetryAfter):
                return result
            await async_sleep(result.seconds)
