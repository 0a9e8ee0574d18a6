"""From the description of a call to a method of a client, blocking or awaited."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, get_args

from facegraph.client.call import Call, Page

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])


class Blocking(Protocol):
    """A client that waits for the answer of a call."""

    def send(self, call: Call[T], /) -> T: ...


class Awaited(Protocol):
    """One whose answers are awaited."""

    async def send(self, call: Call[T], /) -> T: ...


def blocking(describe: Callable[P, Call[T]]) -> Callable[Concatenate[Blocking, P], T]:
    """The method of `Client` that sends what `describe` describes."""

    @wraps(describe)
    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(describe(*args, **kwargs))

    return _signed(method, describe)


def blocking_pages(describe: Callable[P, Call[Page[T]] | None]) -> Callable[Concatenate[Blocking, P], Iterator[T]]:
    """The same for a call that is answered in pages: it gives their items, and asks for each page when it is due."""

    @wraps(describe)
    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        call = describe(*args, **kwargs)
        while call is not None:
            page = self.send(call)
            yield from page.items
            call = page.following()

    return _signed(method, describe, Iterator)


def awaited(describe: Callable[P, Call[T]]) -> Callable[Concatenate[Awaited, P], Coroutine[Any, Any, T]]:
    """The method of `AsyncClient` that sends what `describe` describes."""

    @wraps(describe)
    async def method(self: Awaited, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # It may read and encode photos, which would keep the event loop.
        return await self.send(await asyncio.to_thread(describe, *args, **kwargs))

    return _signed(method, describe)


def awaited_pages(
    describe: Callable[P, Call[Page[T]] | None],
) -> Callable[Concatenate[Awaited, P], AsyncIterator[T]]:
    """The same for a call that is answered in pages: it gives their items, and asks for each page when it is due."""

    @wraps(describe)
    async def method(self: Awaited, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        call = await asyncio.to_thread(describe, *args, **kwargs)
        while call is not None:
            page = await self.send(call)
            for item in page.items:
                yield item
            call = await asyncio.to_thread(page.following)

    return _signed(method, describe, AsyncIterator)


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
