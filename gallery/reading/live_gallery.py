"""The latest version of a gallery, which is opened again if reading it fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gallery.errors import UnopenedError, contract_mismatch, not_found, unreadable
from gallery.location import Location
from gallery.reading.exact_search import Tables
from gallery.reading.face_table import FaceTable
from gallery.reading.snapshot import Snapshot
from gallery.records import Collection
from gallery.storage.object_store import PATIENCE_S, store_errors, store_unavailable
from gallery.storage.tables import UNREADABLE, is_missing

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")


class LiveGallery:
    """Follows the gallery, so that a reader sees every acknowledged change.

    Reading an open table fails if a clean-up removed one of its files or the gallery was replaced by another. That
    table is then reopened once; other tables keep their mirrors.

    Args:
        location: where the gallery is stored. It need not exist yet.
        changed: called with all tables after a collection was created, changed or dropped.
    """

    def __init__(self, location: Location, changed: Callable[[Tables], None]) -> None:
        self._location = location
        self._changed = changed
        self._following = asyncio.Lock()
        self._checks = self._succeeded = 0
        self._snapshot: Snapshot | None = None

    @property
    def tables(self) -> Tables:
        """The tables that are open."""
        return self._snapshot.faces if self._snapshot else {}

    async def collection(self, name: str, contract: str | None = None) -> Collection:
        """Return the collection called `name`.

        Args:
            contract: contract of embeddings to compare with those of the collection.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND`` or ``EMBEDDING_CONTRACT_MISMATCH``.
        """
        try:
            collection = (await self.latest()).collections[name]
        except KeyError:
            raise not_found(name) from None
        if contract not in (None, collection.kind.contract):
            raise contract_mismatch(collection)
        return collection

    async def read(self, collection: Collection, ask: Callable[[FaceTable], Awaitable[Answer]]) -> Answer:
        """Return the result of `ask` on the collection's table, which is reopened once if that fails.

        Raises:
            RequestError: ``COLLECTION_NOT_FOUND``; ``COLLECTION_UNREADABLE`` if the reopened table fails as well; or
                raised by `ask`.
        """
        snapshot = self._snapshot
        if snapshot is None or collection.table not in snapshot.faces:
            snapshot = await self.latest()
        failed = _table_of(snapshot, collection)
        try:
            with store_errors():
                return await ask(failed)
        except UNREADABLE as error:
            if not failed.damaged:
                logger.warning("gallery: reopening the collection %s after %r", collection.name, error)
        faces = _table_of(await self.latest(failed), collection)
        faces.damaged = faces.damaged or failed.damaged
        try:
            with store_errors():
                return await ask(faces)
        except UNREADABLE as error:
            # Each later check repeats this error: log it once.
            if not faces.damaged:
                # A traceback would hide the message on a terminal, and the error contains the cause.
                logger.error("gallery: the collection %s cannot be read: %r", collection.name, error)  # noqa: TRY400
            faces.damaged = True
            raise unreadable(collection.name) from error

    async def latest(self, failed: FaceTable | None = None) -> Snapshot:
        """Return the gallery's latest version. Reopen it if that fails, or to replace the table `failed`.

        Calls that arrive during a check share the next one, which sees all changes acknowledged before them.

        Raises:
            UnopenedError: the registry cannot be read.
            RequestError: ``UNAVAILABLE``: an object store has a problem, or does not respond.
        """
        earlier = self._checks
        try:
            with store_errors():
                async with asyncio.timeout(PATIENCE_S if self._location.folder is None else None), self._following:
                    if self._snapshot is not None and failed is None and self._succeeded > earlier:
                        return self._snapshot
                    self._checks += 1
                    snapshot = self._follow(await self._newest(failed))
                    self._succeeded = self._checks
                    return snapshot
        except TimeoutError as error:
            raise store_unavailable("does not respond") from error
        except UNREADABLE as error:
            raise UnopenedError(str(error)) from error

    async def _newest(self, failed: FaceTable | None) -> Snapshot:
        problem: Exception | None = None
        if self._snapshot is not None and failed is None:
            try:
                with store_errors():
                    return await self._snapshot.latest()
            except UNREADABLE as error:
                problem = error
        if is_missing(self._location):
            # LanceDB would create the folder.
            raise FileNotFoundError(f"there is no gallery at {self._location.folder}") from problem
        kept = {name: table for name, table in self.tables.items() if table is not failed}
        snapshot = await Snapshot.open(self._location, kept)
        if problem:
            logger.warning("gallery: reopened the gallery after %r", problem)
        return snapshot

    def _follow(self, snapshot: Snapshot) -> Snapshot:
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._changed(snapshot.faces)
        return snapshot


def _table_of(snapshot: Snapshot, collection: Collection) -> FaceTable:
    """Return the table of `collection`, or of the collection that now has its name."""
    now = snapshot.collections.get(collection.name)
    if now is None:
        raise not_found(collection.name)
    if now.kind != collection.kind:
        raise contract_mismatch(now)
    return snapshot.faces[now.table]
