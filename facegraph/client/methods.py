"""Turns a function that describes a call into a method of a client, blocking or async.

Every route is written, typed and documented once; `help` and type checkers see the same signature on both clients.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, get_args

from facegraph.client.api_call import ApiCall, Page

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])


class BlockingSender(Protocol):
    """What a blocking method needs from its client."""

    def send(self, call: ApiCall[T], /) -> T: ...


class AsyncSender(Protocol):
    """What an async method needs from its client."""

    async def send(self, call: ApiCall[T], /) -> T: ...


def blocking(describe: Callable[P, ApiCall[T]]) -> Callable[Concatenate[BlockingSender, P], T]:
    """A method of `Client` that sends the call."""

    @wraps(describe)
    def method(self: BlockingSender, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(describe(*args, **kwargs))

    return _signed(method, describe)


def blocking_pages(
    describe: Callable[P, ApiCall[Page[T]] | None],
) -> Callable[Concatenate[BlockingSender, P], Iterator[T]]:
    """A method of `Client` that yields the items of all pages and requests each page when it is needed."""

    @wraps(describe)
    def method(self: BlockingSender, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        call = describe(*args, **kwargs)
        while call is not None:
            page = self.send(call)
            yield from page.items
            call = page.next_call()

    return _signed(method, describe, Iterator)


def awaited(describe: Callable[P, ApiCall[T]]) -> Callable[Concatenate[AsyncSender, P], Coroutine[Any, Any, T]]:
    """A method of `AsyncClient` that sends the call."""

    @wraps(describe)
    async def method(self: AsyncSender, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Reading and encoding photos would block the event loop.
        return await self.send(await asyncio.to_thread(describe, *args, **kwargs))

    return _signed(method, describe)


def awaited_pages(
    describe: Callable[P, ApiCall[Page[T]] | None],
) -> Callable[Concatenate[AsyncSender, P], AsyncIterator[T]]:
    """A method of `AsyncClient` that yields the items of all pages and requests each page when it is needed."""

    @wraps(describe)
    async def method(self: AsyncSender, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        call = await asyncio.to_thread(describe, *args, **kwargs)
        while call is not None:
            page = await self.send(call)
            for item in page.items:
                yield item
            call = await asyncio.to_thread(page.next_call)

    return _signed(method, describe, AsyncIterator)


def _signed(method: M, describe: Callable[..., Any], iterator: Any = None) -> M:
    """Set the signature of `method`: that of `describe`, with `self` and with the result type instead of the call's.

    Args:
        iterator: generic type of the result of a method over pages, such as `Iterator`.
    """
    signature = inspect.signature(describe)
    [result, *_] = get_args(signature.return_annotation)
    if iterator:
        # Find the innermost T of ApiCall[Page[T]] | None.
        while inner := get_args(result):
            result = inner[0]
        result = iterator[result]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[itself, *signature.parameters.values()], return_annotation=result
    )
    return method
