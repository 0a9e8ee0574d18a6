"""The gallery's deployments: one writer, and readers that scale.

Only their replicas import LanceDB, because the import is slow.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any, TypeVar

from ray import serve
from ray.serve import Application

from deployments.gallery_metrics import GalleryMetrics
from deployments.guard import MARK
from deployments.usage import Usage
from gallery.errors import UnopenedError, all_failures, failures, is_full, unreachable
from gallery.location import Location
from gallery.records import ReaderReport
from gallery.settings import GalleryArgs
from gallery.storage.disk import GalleryInUseError, is_reserved
from project.request_error import RequestError

if TYPE_CHECKING:
    from gallery.writing.writer import Writer

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")

WRITER_PATIENCE_S = 60
"""How long a new writer waits for its predecessor to release the gallery, in seconds."""
READER_PATIENCE_S = 20
"""How long a new reader waits for a writer to create the gallery, in seconds."""
CHECK_PERIOD_S = 10.0
"""Time between a reader's checks of all collections, in seconds."""
MEMORY_PERIOD_S = 2.0
"""Time between a reader's checks of its memory, in seconds."""
MEASURE_PERIOD_S = 15
"""Time between measurements of the gallery's size, in seconds."""
LANCEDB_LOG = "warn,lance::index::vector::builder=error"
"""LanceDB's log levels. Merging an index after a partition was split logs hundreds of harmless warnings."""
URGENT_PERIOD_S = 1.0
"""Time between checks of whether periodic work is urgent, in seconds."""
GATHER_PERIOD_S = 0.1
"""Time between checks for new faces that are spread over many files, in seconds."""


@serve.deployment(name="gallery-writer")
class GalleryWriter:
    """The single replica that changes the gallery; see `gallery.writing.writer`.

    Args:
        location: where the gallery is stored.
        index_rows, exact_mb: `gallery.search.vector_index.IndexRule`.
        optimise_s, clean_s: time between optimisations and between clean-ups, in seconds.
    """

    async def __init__(  # type: ignore[misc]
        self, location: Location, index_rows: int, exact_mb: int, optimise_s: float, clean_s: float
    ) -> None:
        from gallery.reading.reader import Reader
        from gallery.reading.size import SizeCounter
        from gallery.search.vector_index import IndexRule

        self._location, self._index_rule = location, IndexRule(index_rows, exact_mb)
        self._optimise_s, self._clean_s = optimise_s, clean_s
        self._opening = asyncio.Lock()
        self._writer: Writer | None = None
        self._counter = SizeCounter(Reader(location, exact_mb=0))
        self._metrics = GalleryMetrics()
        with suppress(RequestError):
            await self._opened(WRITER_PATIENCE_S)

    async def call(self, operation: str, *args: Any, **options: Any) -> Any:
        """Perform an operation of `GalleryChanges`. `RequestError` is returned, not raised.

        The operation completes even if the caller is cancelled, so no change is left half done.
        """
        try:
            writer = await self._opened()
            return await asyncio.shield(getattr(writer, operation)(*args, **options))
        except RequestError as refused:
            if failures(refused):
                # The response contains only the first one.
                logger.error("gallery: could not %s: %s", operation, all_failures(refused))  # noqa: TRY400
            return refused
        except GalleryInUseError as error:
            logger.warning("gallery: it cannot be opened: %s", error)
            return unreachable()
        except (RuntimeError, OSError) as error:
            if not is_full(error):
                raise
            logger.exception("gallery: the disk is full")
            return RequestError("STORAGE_FULL", "The gallery's disk is full; the change was not made")

    async def ready(self) -> RequestError | None:
        """Return ``UNAVAILABLE`` if the gallery's folder is missing, or another process writes to it."""
        from gallery.storage.tables import is_missing

        try:
            await self._opened()
        except RequestError as refused:
            return refused
        except GalleryInUseError:
            return unreachable()
        return unreachable() if is_missing(self._location) else None

    async def _opened(self, patience: float = 0) -> "Writer":
        """Return the writer, which is opened by the first call that finds the gallery.

        It is opened completely even if the caller is cancelled, because opening may repair the gallery.

        Args:
            patience: time to wait for another writer, in seconds.

        Raises:
            RequestError: ``UNAVAILABLE``: the gallery's disk is not mounted.
            GalleryInUseError: another process writes to the gallery.
        """
        if self._writer is None:
            return await asyncio.shield(self._open(patience))
        return self._writer

    async def _open(self, patience: float) -> "Writer":
        from gallery.writing.writer import Writer

        async with self._opening:
            if self._writer is None:
                if _was_unmounted(self._location):
                    raise unreachable()
                self._writer = await Writer.open(self._location, self._index_rule, patience)
                self._timers = self._started_timers(self._writer)
            return self._writer

    def _started_timers(self, writer: "Writer") -> list[asyncio.Task[None]]:
        optimise = self._repeat("optimise", writer.optimise, self._optimise_s, lambda: writer.optimisation_is_urgent)
        return [
            asyncio.create_task(self._repeat("measure", self._measure, MEASURE_PERIOD_S)),
            asyncio.create_task(self._repeat("gather", writer.gather, GATHER_PERIOD_S)),
            asyncio.create_task(optimise),
            asyncio.create_task(self._repeat("clean", writer.clean, self._clean_s)),
        ]

    async def _measure(self) -> None:
        self._metrics.set_sizes(await self._counter.measure())

    async def _repeat(
        self, what: str, work: Callable[[], Awaitable[object]], seconds: float, urgent: Callable[[], bool] = bool
    ) -> None:
        """Do `work` every `seconds`, or soon if it is `urgent`."""
        waited, step, problem = 0.0, min(URGENT_PERIOD_S, seconds), ""
        while True:
            await asyncio.sleep(step)
            waited += step
            if waited < seconds and not urgent():
                continue
            try:
                await work()
            except Exception as error:
                # The timer will try again. A problem that lasts is logged once.
                if (failed := all_failures(error)) != problem:
                    expected = isinstance(error, RequestError | OSError)
                    logger.error("gallery: the timer could not %s: %s", what, failed, exc_info=not expected)  # noqa: TRY400
                problem = failed
            else:
                problem = ""
            waited = 0.0


@serve.deployment(name="gallery-reader")
class GalleryReader:
    """Searches and lists the gallery; see `gallery.reading.reader`.

    Args:
        location: where the gallery is stored.
        exact_mb: memory for exact search, in MiB.
        threads: threads of an exact search.
    """

    async def __init__(self, location: Location, exact_mb: int, threads: int = 1) -> None:  # type: ignore[misc]
        from gallery.reading.reader import Reader
        from gallery.storage.memory import MemoryReturner
        from gallery.storage.tables import wait_until_created

        # The writer and the readers start together. If there is still no gallery afterwards, `ready` fails.
        await wait_until_created(location, READER_PATIENCE_S)
        self._reader = Reader(location, exact_mb, threads)
        self._report = ReaderReport()
        self._problem: BaseException | None = None
        self._metrics = GalleryMetrics()
        self._usage = Usage(time.process_time, workers=1)
        self._timers = [
            asyncio.create_task(self._repeat("collections", self._check, CHECK_PERIOD_S)),
            asyncio.create_task(self._repeat("indexes", self._tend_indexes, CHECK_PERIOD_S)),
            asyncio.create_task(
                self._repeat("memory", partial(asyncio.to_thread, MemoryReturner().check), MEMORY_PERIOD_S)
            ),
        ]

    async def call(self, operation: str, *args: Any, **options: Any) -> Any:
        """Perform an operation of `GalleryReads`. `RequestError` is returned, not raised."""
        return await self._answered(getattr(self._reader, operation)(*args, **options))

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Return what the replica uses; Serve passes it on to the autoscaling policy."""
        return self._usage.measure()

    async def ready(self) -> ReaderReport | RequestError:
        """Return what the last checks found; ``UNAVAILABLE`` if the gallery cannot be opened."""
        answer = await self._answered(self._reader.collections())
        problem = (answer.__cause__ or answer) if isinstance(answer, RequestError) else None
        if problem and not self._problem:
            logger.warning("gallery: it cannot be opened: %r", problem)
        if self._problem and not problem:
            logger.info("gallery: it is open again")
        self._problem = problem
        return answer if isinstance(answer, RequestError) else self._report

    async def _answered(self, work: Awaitable[Answer]) -> Answer | RequestError:
        try:
            return await work
        except RequestError as refused:
            return refused
        except UnopenedError as error:
            answer = unreachable()
            answer.__cause__ = error
            return answer

    async def _check(self) -> None:
        unreadable = await self._reader.unreadable()
        self._report = replace(self._report, unreadable=unreadable)
        self._metrics.set_unreadable(len(unreadable))

    async def _tend_indexes(self) -> None:
        indexes = await self._reader.index_health()
        self._report = replace(self._report, indexes=indexes)
        self._metrics.set_recall(indexes)

    async def _repeat(self, what: str, check: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            try:
                await check()
            except Exception as error:
                # `ready` logs that the gallery cannot be opened.
                if not self._problem:
                    logger.warning("gallery: the %s cannot be checked: %r", what, error)
            await asyncio.sleep(seconds)


def _was_unmounted(location: Location) -> bool:
    """Whether the gallery's disk was unmounted since `facegraph serve` reserved the folder.

    A new gallery in its place would be hidden, with all new faces, once the disk is mounted again.
    """
    from gallery.storage.tables import is_missing

    if location.folder is None or not is_missing(location):
        return False
    # Only processes of `facegraph serve` have this variable. Other services reserve no folder, and may create it.
    return MARK in os.environ and not is_reserved(location.folder)


def bind_gallery(args: GalleryArgs) -> tuple[Application, Application]:
    """Bind the writer and the reader. If the gallery is a folder, both run on the head node, which has the folder."""
    location = Location(args.uri, args.storage_options, args.index_mb)
    node = {"resources": {"node:__internal_head__": 0.001}} if location.folder else {}

    def placed(deployment: Any, cpus: float, threads: int) -> Any:
        # By default, Ray sets OMP_NUM_THREADS to 1 for a replica with fewer than two CPUs.
        # With one arena, the C library can return most of the memory to the system after a large table was read.
        variables = {"OMP_NUM_THREADS": str(threads), "MALLOC_ARENA_MAX": "1", "LANCEDB_LOG": LANCEDB_LOG}
        environment: dict[str, Any] = {"env_vars": variables}
        if (python := quote(sys.executable)) != sys.executable:
            # Ray passes the path of the interpreter to a shell without quoting it.
            environment["py_executable"] = python
        options = {"num_cpus": cpus, "num_gpus": 0, "runtime_env": environment, **node}
        return deployment.options(ray_actor_options=options)

    writer = placed(GalleryWriter, args.writer_cpus, 1)
    reader = placed(GalleryReader, args.reader_cpus, args.reader_threads)
    return (
        writer.bind(location, args.index_rows, args.exact_mb, args.optimise_s, args.clean_s),
        reader.bind(location, args.exact_mb, args.reader_threads),
    )
