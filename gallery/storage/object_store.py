"""Problems of an object store, in one sentence instead of LanceDB's long errors.

LanceDB reports them only in the error texts of its Rust libraries, in several forms. A missing object is no such
problem: it means that a collection is damaged.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

from gallery.location import Location
from gallery.storage.tables import UNREADABLE
from project.request_error import RequestError

PATIENCE_S = 10
"""How long to wait for an object store, in seconds. Lance itself would retry for minutes."""

_PROBLEMS = {
    "has no such bucket": r"NoSuchBucket|ContainerNotFound",
    "rejects the credentials": r"status(?: code)?: 40[13]|lacked (?:the necessary privileges|valid auth)|credentials",
    "cannot be reached": r"HTTP error|HttpError|status(?: code)?: (?:429|5\d\d)",
}


def store_problem(error: BaseException) -> str | None:
    """Return what is wrong with the object store if that caused `error`, such as "cannot be reached", else None."""
    found = (problem for problem, pattern in _PROBLEMS.items() if re.search(pattern, str(error)))
    return next(found, None)


def connection_problem(location: Location) -> str | None:
    """Connect to the object store of `location`, and return what is wrong with it, or None."""

    async def connect() -> None:
        async with asyncio.timeout(PATIENCE_S):
            (await location.connect()).close()

    try:
        asyncio.run(connect())
    except TimeoutError:
        return "does not respond"
    except UNREADABLE as error:
        return store_problem(error) or f"cannot be used: {error}"
    return None


def store_unavailable(problem: str) -> RequestError:
    """Return the error for requests while the object store has a problem."""
    return RequestError("UNAVAILABLE", f"The gallery's object store {problem}")


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise ``UNAVAILABLE`` if the object store makes the block fail.

    Also raises RuntimeError instead of a panic of Lance, which some damaged files cause.
    """
    try:
        yield
    except UNREADABLE as error:
        if problem := store_problem(error):
            raise store_unavailable(problem) from error
        raise
    except Exception as error:
        # The class cannot be imported.
        if type(error).__name__ == "RustPanic":
            raise RuntimeError(str(error)) from error
        raise
