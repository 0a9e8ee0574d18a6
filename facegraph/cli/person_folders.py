"""A folder of people on disk: one folder per person, named by their id, with their photos in it and below."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from facegraph.cli.terminal import CommandError
from graphs.batches import LARGEST_PHOTO

LITTER = frozenset(
    {
        # Synology and QNAP: thumbnails, indices, recycle bins and snapshots.
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot"),
        # Windows
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        # macOS; all else that it leaves is hidden.
        *("__macosx", "icon\r", "network trash folder", "temporary items"),
        *("lost+found", "picasa.ini"),
    }
)
"""Names, in lower case, of what systems leave in folders. Hidden files and folders, whose names begin with a dot, are
skipped as well."""


@dataclass(frozen=True)
class Unusable:
    """A file or folder without a photo to enrol: whose it is, a stable code, and one sentence."""

    subject: str
    path: Path
    code: str
    message: str


@dataclass(frozen=True)
class People:
    """What a folder of people holds.

    Attributes:
        photos: by subject, the files that may be photos, whatever their names.
        unusable: everything else, except `LITTER` and what is hidden.
    """

    photos: dict[str, list[Path]] = field(default_factory=dict)
    unusable: list[Unusable] = field(default_factory=list)


def people(folder: Path) -> People:
    """Look through a folder of people. Links are followed, but not back to a folder that holds them.

    Raises:
        CommandError: it has no folder with a file in it, or cannot be read.
    """
    found = People()
    try:
        entries = _entries(folder)
    except OSError as error:
        raise CommandError(f"{folder} cannot be read: {_reason(error)}") from error
    for path in entries:
        if not os.path.isdir(path):
            found.unusable.append(Unusable("", path, "NO_SUBJECT", "The file is in no person's folder"))
            continue
        files = list(_files(path, path.name, (os.path.realpath(folder),)))
        photos = [each for each in files if isinstance(each, Path)]
        found.unusable.extend(each for each in files if isinstance(each, Unusable))
        if photos:
            found.photos[path.name] = photos
        elif not files:
            found.unusable.append(Unusable(path.name, path, "NO_PHOTO", "The folder has no photo"))
    if not found.photos:
        raise CommandError(f"{folder} has no folder with photos: it needs one folder per person, named by their id")
    return found


def _files(folder: Path, subject: str, above: tuple[str, ...]) -> Iterator[Path | Unusable]:
    """The files in a person's folder and below it; `above` are the folders that it is in, without links."""
    real = os.path.realpath(folder)
    if real in above:
        yield Unusable(subject, folder, "UNREADABLE", "The link leads to a folder that it is in")
        return
    try:
        entries = _entries(folder)
    except OSError as error:
        yield Unusable(subject, folder, "UNREADABLE", _reason(error))
        return
    for path in entries:
        # Not Path.is_dir, which raises some errors, such as that of a link into a folder that is closed.
        if os.path.isdir(path):
            yield from _files(path, subject, (*above, real))
        else:
            yield _checked(path, subject)


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not _is_litter(path.name))


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER


def _checked(path: Path, subject: str) -> Path | Unusable:
    try:
        status = path.stat()
    except OSError as error:
        return Unusable(subject, path, "UNREADABLE", _reason(error))
    if not stat.S_ISREG(status.st_mode):
        # Opening a pipe waits until another program writes to it.
        return Unusable(subject, path, "UNREADABLE", "It is not a regular file")
    # Not even read: it may be a film of gigabytes, and no service can be set to take a larger photo.
    if status.st_size > LARGEST_PHOTO:
        most = LARGEST_PHOTO // 2**20
        return Unusable(subject, path, "IMAGE_TOO_LARGE", f"The file is larger than {most} MiB, as no photo may be")
    return path


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
