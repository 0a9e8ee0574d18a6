"""Finds the photos in a folder with one folder per person, named by the person's id."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from facegraph.cli.output import CommandError
from graphs.batches import LARGEST_PHOTO

SYSTEM_FILES = frozenset(
    {
        # Synology and QNAP: thumbnails, indexes, recycle bins and snapshots.
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot"),
        # Windows.
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        # macOS; its other files are hidden.
        *("__macosx", "icon\r", "network trash folder", "temporary items"),
        *("lost+found", "picasa.ini"),
    }
)
"""Lower-case names of files and folders that operating systems and NAS devices create. They are skipped, as are hidden
files and folders, whose names begin with a dot."""


@dataclass(frozen=True)
class FileOutcome:
    """The outcome for one file of a folder of people.

    Attributes:
        subject: empty if the file is in no person's folder.
        photo: path of the file.
        status: ``enrolled``, with a `code` and a `message` if the face resembles another subject; ``already`` if the
            photo was enrolled before; ``refused`` with a `code` (docs/v1.md, docs/cli.md) and a `message`; ``missing``
            if the photo of an enrolled face is not in the folder.
    """

    subject: str
    photo: str
    status: Literal["enrolled", "already", "refused", "missing"]
    code: str = ""
    message: str = ""


def refused_file(subject: str, path: Path, code: str, message: str) -> FileOutcome:
    """Return the outcome for a file that is not enrolled."""
    return FileOutcome(subject, str(path), "refused", code, message)


def unreadable_file(subject: str, path: Path, error: OSError) -> FileOutcome:
    """Return the outcome for a file that cannot be read."""
    return refused_file(subject, path, "UNREADABLE", _reason(error))


@dataclass(frozen=True)
class People:
    """The files in a folder of people.

    Attributes:
        photos: by subject, the files that may be photos, whatever their names.
        unusable: the outcomes of all other files, except `SYSTEM_FILES` and hidden ones, and of empty folders.
    """

    photos: dict[str, list[Path]] = field(default_factory=dict)
    unusable: list[FileOutcome] = field(default_factory=list)


def find_people(folder: Path) -> People:
    """Search a folder of people. Links are followed, except links to a folder that contains them.

    Raises:
        CommandError: the folder cannot be read, or no folder in it has a photo.
    """
    found = People()
    try:
        entries = _entries(folder)
    except OSError as error:
        raise CommandError(f"{folder} cannot be read: {_reason(error)}") from error
    for path in entries:
        if not os.path.isdir(path):
            found.unusable.append(refused_file("", path, "NO_SUBJECT", "The file is not in a person's folder"))
            continue
        files = list(_files(path, path.name, (os.path.realpath(folder),)))
        photos = [each for each in files if isinstance(each, Path)]
        found.unusable.extend(each for each in files if isinstance(each, FileOutcome))
        if photos:
            found.photos[path.name] = photos
        elif not files:
            found.unusable.append(refused_file(path.name, path, "NO_PHOTO", "The folder has no photo"))
    if not found.photos:
        raise CommandError(f"{folder} has no folder with photos: it needs one folder per person, named by id")
    return found


def _files(folder: Path, subject: str, parents: tuple[str, ...]) -> Iterator[Path | FileOutcome]:
    """Yield the files below a person's folder. `parents` are the resolved paths of its parent folders."""
    real = os.path.realpath(folder)
    if real in parents:
        yield refused_file(subject, folder, "UNREADABLE", "The link leads to a folder that contains it")
        return
    try:
        entries = _entries(folder)
    except OSError as error:
        yield unreadable_file(subject, folder, error)
        return
    for path in entries:
        # Path.is_dir raises some errors, for example for a link into a folder without permission.
        if os.path.isdir(path):
            yield from _files(path, subject, (*parents, real))
        else:
            yield checked_file(path, subject)


def _entries(folder: Path) -> list[Path]:
    names = sorted(folder.iterdir())
    return [path for path in names if not path.name.startswith(".") and path.name.lower() not in SYSTEM_FILES]


def checked_file(path: Path, subject: str) -> Path | FileOutcome:
    """Return `path` if it may be a photo, else the outcome that says why it is refused."""
    try:
        status = path.stat()
    except OSError as error:
        return unreadable_file(subject, path, error)
    if not stat.S_ISREG(status.st_mode):
        # Opening a pipe would block until another program writes to it.
        return refused_file(subject, path, "UNREADABLE", "It is not a regular file")
    # Checked before reading, because the file may be a video of gigabytes. No service can be configured to accept more.
    if status.st_size > LARGEST_PHOTO:
        limit = f"The file is larger than {LARGEST_PHOTO // 2**20} MiB, the limit for a photo"
        return refused_file(subject, path, "IMAGE_TOO_LARGE", limit)
    return path


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
