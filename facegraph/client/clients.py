"""The two clients: the same calls over a blocking connection and over an asynchronous one."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, get_args

import httpx

from facegraph.client import collections as of_collections
from facegraph.client import enrolment, photos, service
from facegraph.client import search as of_search
from facegraph.client import subjects as of_subjects
from facegraph.client.call import Call, Page
from facegraph.client.connection import connection
from facegraph.client.exchange import Exchange, Patience, Wait

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])

RETRIES = 4
TIMEOUT_S = 60.0
DEADLINE_S = 120.0


def _signed(method: M, describe: Callable[..., Any], items: Any = None) -> M:
    """`method` with the signature that `help` and editors show: that of `describe`, with a self.

    It gives the answer and not its description; with `items`, such as `Iterator`, one of what the pages hold.
    """
    signature = inspect.signature(describe)
    [answer, *_] = get_args(signature.return_annotation)
    if items:
        while inner := get_args(answer):
            answer = inner[0]
        answer = items[answer]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[itself, *signature.parameters.values()], return_annotation=answer
    )
    return method


def _blocking(describe: Callable[P, Call[T]]) -> "Callable[Concatenate[Client, P], T]":
    """The method of `Client` that sends what `describe` describes."""

    @wraps(describe)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._send(describe(*args, **kwargs))

    return _signed(method, describe)


def _blocking_pages(describe: Callable[P, Call[Page[T]] | None]) -> "Callable[Concatenate[Client, P], Iterator[T]]":
    """The same for a call that is answered in pages: it gives their items, and asks for each page when it is due."""

    @wraps(describe)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        call = describe(*args, **kwargs)
        while call is not None:
            page = self._send(call)
            yield from page.items
            call = page.following()

    return _signed(method, describe, Iterator)


def _awaited(describe: Callable[P, Call[T]]) -> "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]":
    """The method of `AsyncClient` that sends what `describe` describes."""

    @wraps(describe)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        # It may read and encode photos, which would keep the event loop.
        return await self._send(await asyncio.to_thread(describe, *args, **kwargs))

    return _signed(method, describe)


def _awaited_pages(
    describe: Callable[P, Call[Page[T]] | None],
) -> "Callable[Concatenate[AsyncClient, P], AsyncIterator[T]]":
    """The same for a call that is answered in pages: it gives their items, and asks for each page when it is due."""

    @wraps(describe)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        call = await asyncio.to_thread(describe, *args, **kwargs)
        while call is not None:
            page = await self._send(call)
            for item in page.items:
                yield item
            call = await asyncio.to_thread(page.following)

    return _signed(method, describe, AsyncIterator)


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

    models = _blocking(service.models)
    status = _blocking(service.status)
    health = _blocking(service.health)
    detect = _blocking(photos.detect)
    embed = _blocking(photos.embed)
    verify = _blocking(photos.verify)
    compare = _blocking(photos.compare)
    collections = _blocking(of_collections.collections)
    collection = _blocking(of_collections.collection)
    put_collection = _blocking(of_collections.put_collection)
    delete_collection = _blocking(of_collections.delete_collection)
    clean = _blocking(of_collections.clean)
    enrol = _blocking(enrolment.enrol)
    enrol_many = _blocking_pages(enrolment.enrol_many)
    enrol_embeddings = _blocking(enrolment.enrol_embeddings)
    search = _blocking(of_search.search)
    search_embedding = _blocking(of_search.search_embedding)
    subjects = _blocking_pages(of_subjects.subjects)
    subject = _blocking(of_subjects.subject)
    delete_subject = _blocking(of_subjects.delete_subject)
    delete_subjects = _blocking(of_subjects.delete_subjects)
    delete_face = _blocking(of_subjects.delete_face)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({str(self._http.base_url)!r})"

    def _send(self, call: Call[T]) -> T:
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

    models = _awaited(service.models)
    status = _awaited(service.status)
    health = _awaited(service.health)
    detect = _awaited(photos.detect)
    embed = _awaited(photos.embed)
    verify = _awaited(photos.verify)
    compare = _awaited(photos.compare)
    collections = _awaited(of_collections.collections)
    collection = _awaited(of_collections.collection)
    put_collection = _awaited(of_collections.put_collection)
    delete_collection = _awaited(of_collections.delete_collection)
    clean = _awaited(of_collections.clean)
    enrol = _awaited(enrolment.enrol)
    enrol_many = _awaited_pages(enrolment.enrol_many)
    enrol_embeddings = _awaited(enrolment.enrol_embeddings)
    search = _awaited(of_search.search)
    search_embedding = _awaited(of_search.search_embedding)
    subjects = _awaited_pages(of_subjects.subjects)
    subject = _awaited(of_subjects.subject)
    delete_subject = _awaited(of_subjects.delete_subject)
    delete_subjects = _awaited(of_subjects.delete_subjects)
    delete_face = _awaited(of_subjects.delete_face)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({str(self._http.base_url)!r})"

    async def _send(self, call: Call[T]) -> T:
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
