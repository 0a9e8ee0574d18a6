"""Fetch a model's weight files into the store."""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from models.card import Card
from models.catalogue import folder_of
from models.downloads import Downloads
from models.errors import ModelError
from models.sources import WeightFile
from models.store import Store, check_hash, matches, sha256_of
from project.files import atomic


def fetch(card: Card, store: Store, downloads: Downloads, mirror: Path | None) -> None:
    """Fetch each weight file of `card` that is missing or damaged in the store.

    Args:
        mirror: a folder that is searched before the sources, for sites without network access. Its files are found
            by their hash, whatever their names and folders.

    Raises:
        ModelError: no source has a file with the card's hash. The message lists the error of each source.
    """
    for file in card.files:
        path = store.folder(card) / file.name
        if not matches(path, file.sha256):
            _fetch_file(card, file, path, downloads, mirror)


def _fetch_file(card: Card, file: WeightFile, path: Path, downloads: Downloads, mirror: Path | None) -> None:
    failures = []
    if not file.sources:
        local = folder_of(card) / file.name
        if matches(local, file.sha256):
            return _write(local.open("rb"), path, file)
        found = f"has the SHA-256 {sha256_of(local)}" if local.is_file() else "is missing"
        failures.append(f"{local} {found}, but its card expects the SHA-256 {file.sha256}")
    if mirror is not None:
        # Files with the right name come first, because hashing the others takes time.
        for candidate in sorted(mirror.rglob("*"), key=lambda path: (path.name != file.name, path)):
            if matches(candidate, file.sha256):
                return _write(candidate.open("rb"), path, file)
        failures.append(f"the mirror {mirror} has no file with this hash")
    for source in file.sources:
        try:
            downloaded = downloads.get(source, file.sha256)
            opened = _member(downloaded, source.member) if source.member else downloaded.open("rb")
            return _write(opened, path, file)
        except ModelError as error:
            failures.append(str(error))
    advice = ". Check the network, or put the file into a folder and pass it as --mirror or MODEL_MIRROR"
    raise ModelError(
        f"{file.name} of the model {card.name} could not be fetched: {'; '.join(failures)}"
        f"{advice if file.sources else ''}"
    )


def _write(opened: AbstractContextManager[IO[bytes]], path: Path, file: WeightFile) -> None:
    """Write the content of an open file to `path`, after its hash has been checked."""
    with opened as content, atomic(path) as unfinished:
        with unfinished.open("wb") as target:
            shutil.copyfileobj(content, target)
        check_hash(unfinished, file.sha256, file.name)


@contextmanager
def _member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped, zipped.open(name) as content:
                yield content
        else:
            with tarfile.open(archive) as packed:
                unpacked = packed.extractfile(name)
                if unpacked is None:
                    raise ModelError(f"{name} is not a file in the archive")
                yield unpacked
    except KeyError:
        raise ModelError(f"the archive has no {name}") from None
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise ModelError(f"the archive with {name} cannot be read ({error})") from error
