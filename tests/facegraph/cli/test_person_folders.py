"""Finding photos in a folder of people."""

import os
from pathlib import Path

import pytest

from facegraph.cli import person_folders
from facegraph.cli.person_folders import find_people
from tests.evaluation import touch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of people with one photo of Ada."""
    return touch(tmp_path / "people", "ada/1.jpg")


def test_links_to_photos_and_folders_are_followed(folder: Path, tmp_path: Path) -> None:
    album, ada = touch(tmp_path / "album", "2.jpg"), folder / "ada"
    (ada / "album").symlink_to(album)
    (ada / "3.jpg").symlink_to(album / "2.jpg")
    (folder / "bob").symlink_to(album)
    assert find_people(folder).photos == {
        "ada": [ada / "1.jpg", ada / "3.jpg", ada / "album" / "2.jpg"],
        "bob": [folder / "bob" / "2.jpg"],
    }


def test_unusable_files_are_reported_and_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(folder, "stray.jpg", "ada/any.name", "ada/closed/1.jpg")
    (folder / "bob").mkdir()
    ada, listed = folder / "ada", Path.iterdir
    os.mkfifo(ada / "pipe.jpg")
    for name, target in (("gone.jpg", "nowhere"), ("unlikely.jpg", "x" * 300), ("loop", str(ada)), ("up", str(folder))):
        (ada / name).symlink_to(target)
    (ada / "film.mov").write_bytes(b"123")

    def iterdir(folder: Path) -> object:
        # Permissions would not stop root.
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    monkeypatch.setattr(person_folders, "LARGEST_PHOTO", 2)
    found = find_people(folder)
    assert {str(Path(each.photo).relative_to(folder)): (each.subject, each.code) for each in found.unusable} == {
        **{f"ada/{name}": ("ada", "UNREADABLE") for name in ("closed", "gone.jpg", "unlikely.jpg", "loop", "up")},
        "ada/pipe.jpg": ("ada", "UNREADABLE"),
        "ada/film.mov": ("ada", "IMAGE_TOO_LARGE"),
        "bob": ("bob", "NO_PHOTO"),
        "stray.jpg": ("", "NO_SUBJECT"),
    }
    assert found.photos == {"ada": [ada / "1.jpg", ada / "any.name"]}


def test_system_files_are_skipped(folder: Path) -> None:
    names = ["@eaDir/1.jpg/THUMB.jpg", ".thumbs/1.jpg", "__MACOSX/._1.jpg", "#recycle/x.jpg"]
    names += [".DS_Store", "Thumbs.db", "Icon\r"]
    touch(folder, *names, *(f"ada/{name}" for name in names), "@ada/1.jpg", "#1/1.jpg")
    found = find_people(folder)
    assert (list(found.photos), found.unusable) == (["#1", "@ada", "ada"], [])
    assert found.photos["ada"] == [folder / "ada" / "1.jpg"]
