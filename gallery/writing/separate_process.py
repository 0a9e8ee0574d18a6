"""Working on a table in a separate process with the lowest priority.

LanceDB does all work of a process in one pool of threads. In the writer's process, commits would wait for an index that
is being built.
"""

import asyncio
import os
import pickle
import sys
import threading
from asyncio.subprocess import PIPE
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

from lancedb import AsyncTable

from gallery.location import Location
from project.root import ROOT

Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")

LOWEST = 19
"""Niceness of the process."""


async def run_separately(
    location: Location,
    table: str,
    work: Callable[[AsyncTable, *Arguments], Coroutine[Any, Any, Answer]],
    *args: *Arguments,
) -> Answer:
    """Run `work` on the latest version of a table in another process, and return the result.

    That process ends if this one does.

    Args:
        location: where the gallery is stored.
        table: name of the table.
        work: a function defined at the top level of a module.

    Raises:
        Exception: raised by `work`, or the process was killed.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", __name__, stdin=PIPE, stdout=PIPE, env=environment
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(pickle.dumps((location, table, work, args)))
        # Left open: the process ends when its standard input is closed.
        await process.stdin.drain()
        answered = await process.stdout.read()
        status = await process.wait()
    except BaseException:
        process.kill()
        raise
    if not answered:
        raise RuntimeError(f"the process that worked on the table {table} ended with status {status}")
    answer: Answer | Exception = pickle.loads(answered)  # noqa: S301 - written by our own process
    if isinstance(answer, Exception):
        raise answer
    return answer


def main() -> None:
    """Do the work that is described on the standard input, and write the result to the standard output."""
    os.nice(LOWEST)
    with os.fdopen(os.dup(1), "wb") as output:
        # Anything that is printed goes to the standard error instead.
        os.dup2(2, 1)
        location, table, work, args = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by our own process
        threading.Thread(target=_end_with_the_input, daemon=True).start()

        async def run() -> Any:
            connection = await location.connect()
            return await work(await connection.open_table(table), *args)

        try:
            answer = asyncio.run(run())
        except Exception as error:
            # Raised again by the process that waits.
            answer = error
        output.write(pickle.dumps(answer))


def _end_with_the_input() -> None:
    """End the process when the one that started it closes the standard input or is killed."""
    # Read without Python's buffer: its lock would keep the process from ending after its work.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
