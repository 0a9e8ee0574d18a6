"""Recovering a gallery after a power loss in the middle of a commit.

Lance writes the data of a commit first and its manifest last, but does not flush either to disk. After a power
loss, the newest manifest, or data that it names, may therefore be empty or cut off, and Lance cannot open the table.
All earlier commits are intact: setting the damaged manifest aside opens the table at the version before it.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from gallery.location import Location
from gallery.storage.side_tables import drop_beside

logger = logging.getLogger("ray.serve")

_MAGIC = b"LANC"
"""Last bytes of every Lance manifest and index file."""


async def recover(location: Location) -> None:
    """Restore every table of a gallery in a folder to its newest intact version.

    The writer calls this before anything reads the gallery. An object store needs no recovery, because its files
    appear as a whole or not at all.

    A collection that loses a commit also loses its stored responses, because one of them may confirm the lost change.
    """
    for path in sorted(location.folder.glob("*.lance")) if location.folder else ():
        await _recover_table(location, path)


async def _recover_table(location: Location, path: Path) -> None:
    """Set manifests aside, newest first, until the table opens. If it never opens, put them all back."""
    versions, set_aside = path / "_versions", list[Path]()
    if not any(versions.glob("*.manifest")):
        # A previous recovery was killed before it put them back.
        _put_back(versions.glob("*.damaged"))
    # The names count versions down, so the newest one comes first.
    for manifest in sorted(versions.glob("*.manifest")):
        problem = _cut_off(manifest) or await damage_of(location, path.stem)
        if problem is None:
            if set_aside:
                logger.error("gallery: opened table %s at its last intact version, %s", path.stem, manifest.name)
            await _drop_damaged_indexes(location, path)
            return
        logger.error("gallery: set aside the damaged newest manifest of table %s: %s", path.stem, problem)
        if path.stem.startswith(("faces-", "empty-")):
            await drop_beside(await location.connect(), path.stem, "answers")
        set_aside.append(manifest.rename(manifest.with_suffix(".damaged")))
    _put_back(set_aside)
    logger.error("gallery: table %s has no intact version", path.stem)


def _put_back(set_aside: Iterable[Path]) -> None:
    for damaged in list(set_aside):
        damaged.rename(damaged.with_suffix(".manifest"))


async def _drop_damaged_indexes(location: Location, path: Path) -> None:
    """Drop a table's indexes if one of their files is damaged. The writer builds them again."""
    problem = next(filter(None, map(_cut_off, (path / "_indices").glob("*/*"))), None)
    if problem is None:
        return
    connection = await location.connect()
    table = await connection.open_table(path.stem)
    indexes = [index.name for index in await table.list_indices()]
    for index in indexes:
        await table.drop_index(index)
    connection.close()
    if indexes:
        logger.error("gallery: dropped the damaged indexes of table %s: %s", path.stem, problem)


def _cut_off(path: Path) -> str | None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - len(_MAGIC), 0))
        return None if file.read() == _MAGIC else f"{path.name} is cut off after {size} bytes"


async def damage_of(location: Location, table: str) -> str | None:
    """Return what prevents the newest version of `table` from being read, or None. Opens every data file."""
    connection = await location.connect()
    try:
        opened = await connection.open_table(table)
        first = (await opened.schema()).names[0]
        async for _ in await opened.query().select([first]).to_batches():
            pass
    except Exception as error:
        # Lance reports damage by many types of errors, which all mean the same here.
        return repr(error)
    finally:
        connection.close()
    return None
