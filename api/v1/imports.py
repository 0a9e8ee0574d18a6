"""Enrol any number of existing embeddings, sent as an Arrow IPC stream or a Parquet file."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.requests import ClientDisconnect

from api.audit_ids import AuditIds, CurrentAuditIds
from api.body_file import BodyFile
from api.errors import ERRORS
from api.parameters import StreamRoute
from api.service import CurrentService
from api.v1.examples import Answer, example
from api.v1.options import CollectionName
from gallery.errors import contract_mismatch, is_full
from gallery.operations import Gallery
from gallery.records import Collection
from project.request_error import RequestError

if TYPE_CHECKING:
    import pyarrow as pa

    from gallery.transfer.face_streams import Readable

router = APIRouter(prefix="/v1/collections/{collection}", tags=["enrolment"], responses=ERRORS, route_class=StreamRoute)

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
MAX_IMPORTS = 2
"""Maximum number of concurrent imports per ingress replica."""

InThread = Callable[..., "asyncio.Future[Any]"]
"""Calls a function in the import's thread."""

_slots = asyncio.Semaphore(MAX_IMPORTS)


class ImportAnswer(Answer):
    """How many faces are new, and how many were already enrolled."""

    model_config = example(enrolled=999000, already=1000)

    enrolled: int
    already: int = Field(description="Includes repeated rows.")


@router.post(
    "/import",
    responses={201: {"model": ImportAnswer, "description": "At least one face is new"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (ARROW, PARQUET)},
        }
    },
)
async def post_import(
    service: CurrentService,
    audit: CurrentAuditIds,
    request: Request,
    response: Response,
    collection: CollectionName,
    contract: Annotated[
        str | None,
        Query(max_length=64, description="Contract of the embeddings. Default: the contract in an exported file."),
    ] = None,
) -> ImportAnswer:
    """Enrol any number of existing embeddings, sent as an Arrow IPC stream or a Parquet file; see Importing.

    Faces are committed up to 8,192 at a time. Commits made before an error are kept, and `details` has their counts.
    Send the same data again to complete the import.
    """
    if _slots.locked():
        raise RequestError("OVERLOADED", f"{MAX_IMPORTS} imports are running; try again shortly")
    async with _slots:
        gallery, done = service.stages.gallery, ImportAnswer(enrolled=0, already=0)
        found = await gallery.collection(collection)
        thread = ThreadPoolExecutor(1)
        in_thread = partial(asyncio.get_running_loop().run_in_executor, thread)
        try:
            async with _stream(request, in_thread) as stream:
                checked = await _checked_batches(stream, in_thread, found, contract)
                read_next = partial(in_thread, next, checked, None)
                await _insert(gallery, audit, found, read_next, service.limits.request_timeout, done)
        except RequestError as refused:
            count = done.enrolled + done.already
            message = f"{refused.message}; the first {count} rows are enrolled" if count else refused.message
            raise RequestError(refused.code, message, {**refused.details, **done.model_dump()}) from refused
        except ClientDisconnect:
            raise RequestError("INVALID_REQUEST", "The connection was closed before the import was complete") from None
        finally:
            thread.shutdown(wait=False, cancel_futures=True)
    if done.enrolled:
        response.status_code = 201
    return done


async def _insert(
    gallery: Gallery,
    audit: AuditIds,
    collection: Collection,
    read_next: Callable[[], "asyncio.Future[tuple[int, pa.RecordBatch] | None]"],
    timeout: float,
    done: ImportAnswer,
) -> None:
    """Commit each batch while the next one is read, and count its faces in `done`."""
    reading = read_next()
    try:
        while (read := await reading) is not None:
            reading = read_next()
            rows, batch = read
            audit.add(batch["subject"].to_pylist())
            async with asyncio.timeout(timeout):
                new = await gallery.insert(collection.name, collection.kind.contract, batch)
            audit.note_part(201)
            done.enrolled += new
            done.already += rows - new
    except TimeoutError:
        raise RequestError("TIMEOUT", f"A batch timed out after {timeout:g} seconds") from None
    finally:
        reading.cancel()


@asynccontextmanager
async def _stream(request: Request, in_thread: InThread) -> "AsyncIterator[Readable]":
    """Open the body as an Arrow IPC stream, which only the thread may read."""
    kind = request.headers.get("content-type", "")
    if kind == ARROW:
        yield BodyFile(aiter(request.stream()), asyncio.get_running_loop())
    elif kind == PARQUET:
        # Loading these modules takes a tenth of a second, and few ingress replicas need them.
        from gallery.transfer.parquet_process import ParquetStream

        with tempfile.TemporaryFile() as spool:
            # The schema is at the end of the file.
            await _save(request, in_thread, spool)
            with ParquetStream(spool) as stream:
                yield stream
    else:
        raise RequestError("INVALID_REQUEST", f"Content-Type must be {ARROW} or {PARQUET}, not {kind[:64] or 'none'}")


async def _checked_batches(
    stream: "Readable", in_thread: InThread, collection: Collection, contract: str | None
) -> "Iterator[tuple[int, pa.RecordBatch]]":
    """Return the stream's batches; see `gallery.transfer.face_streams.checked_batches`. Read them in the thread."""
    from gallery.transfer.face_streams import arrow_stream, checked_batches, contract_of

    schema, batches = await in_thread(arrow_stream, stream)
    if (stated := contract or contract_of(schema)) is None:
        raise RequestError("INVALID_REQUEST", "Send the parameter contract: the data does not name one")
    if stated != collection.kind.contract:
        raise contract_mismatch(collection)
    return checked_batches(schema, batches, collection.kind.size)


async def _save(request: Request, in_thread: InThread, spool: IO[bytes]) -> None:
    try:
        async for chunk in request.stream():
            await in_thread(spool.write, chunk)
        await in_thread(spool.flush)
    except OSError as error:
        if not is_full(error):
            raise
        problem = "The temporary folder is too small for the Parquet file; send an Arrow stream, which is not saved"
        raise RequestError("STORAGE_FULL", problem) from error
