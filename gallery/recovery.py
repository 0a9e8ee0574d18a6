"""Opening a gallery again after its machine lost power in the middle of a commit.

Lance writes a commit's data first and its manifest last, but waits for no disk. So a power loss can
leave a newest manifest that is empty or cut off, or one whose data is, and Lance then opens the table
no more. Every commit before it is whole: the damaged manifest is set aside, and the table opens at the
version before it.
"""

import logging
from pathlib import Path

from gallery.location import Location

logger = logging.getLogger("ray.serve")

_MAGIC = b"LANC"


async def recover(location: Location) -> list[str]:
    """Bring every table of a gallery in a folder back to its newest whole version.

    For the writer, before it or anybody else reads. An object store shows a file whole or not at all,
    so there is nothing to do there.

    Returns:
        The tables that were brought back.
    """
    folder = location.folder
    if folder is None or not folder.is_dir():
        return []
    tables = sorted(path for path in folder.glob("*.lance") if path.is_dir())
    return [path.stem for path in tables if await _recover_table(location, path)]


async def _recover_table(location: Location, path: Path) -> bool:
    """Set aside manifests, newest first, until the table opens; none, if it opens with none of them."""
    set_aside: list[Path] = []
    # Versions are counted down in the names: the newest one comes first.
    manifests = sorted((path / "_versions").glob("*.manifest"))
    for manifest in manifests:
        problem = _cut_off(manifest) or await damage_of(location, path.stem)
        if problem is None:
            if set_aside:
                logger.error("gallery: the table %s was opened at its last whole version, %s", path.stem, manifest.name)
            return await _without_damaged_indexes(location, path) or bool(set_aside)
        logger.error("gallery: the newest manifest of %s is damaged and set aside: %s", path.stem, problem)
        set_aside.append(manifest.rename(manifest.with_suffix(".damaged")))
    for damaged in set_aside:
        damaged.rename(damaged.with_suffix(".manifest"))
    logger.error("gallery: the table %s has no version that is whole", path.stem)
    return False


async def _without_damaged_indexes(location: Location, path: Path) -> bool:
    """Drop a table's indexes if a file of them is damaged: they can be made again."""
    problem = next(filter(None, map(_cut_off, (path / "_indices").glob("*/*"))), None)
    if problem is None:
        return False
    connection = await location.connect()
    table = await connection.open_table(path.stem)
    indexes = [index.name for index in await table.list_indices()]
    for index in indexes:
        await table.drop_index(index)
    connection.close()
    if indexes:
        logger.error("gallery: the indexes of %s are damaged and dropped: %s", path.stem, problem)
    return bool(indexes)


def _cut_off(manifest: Path) -> str | None:
    with manifest.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - len(_MAGIC), 0))
        return None if file.read() == _MAGIC else f"{manifest.name} is cut off after {size} bytes"


async def damage_of(location: Location, table: str) -> str | None:
    """What keeps the newest version of `table` from being read; every data file is opened for its first column."""
    connection = await location.connect()
    try:
        opened = await connection.open_table(table)
        first = (await opened.schema()).names[0]
        async for _ in await opened.query().select([first]).to_batches():
            pass
    except Exception as error:
        # Lance tells of damage by many types; each means the same here, and the log has the cause.
        return repr(error)
    finally:
        connection.close()
    return None
