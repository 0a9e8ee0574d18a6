"""What a folder of people holds."""

import os
from pathlib import Path

import pytest

from facegraph.cli import person_folders
from facegraph.cli.person_folders import people
from facegraph.cli.terminal import CommandError


def told(folder: Path) -> dict[str, str]:
    """The code of each file or folder without a photo to enrol, by its path in `folder`."""
    return {str(each.path.relative_to(folder)): each.code for each in people(folder).unusable}


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    """Ada's folder with one photo in it, in a folder of people."""
    folder = tmp_path / "people" / "ada"
    folder.mkdir(parents=True)
    (folder / "1.jpg").touch()
    return folder


def test_links_to_photos_and_folders_are_followed(ada: Path, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "2.jpg").touch()
    (ada / "album").symlink_to(tmp_path / "album")
    (ada / "3.jpg").symlink_to(tmp_path / "album" / "2.jpg")
    (ada.parent / "bob").symlink_to(tmp_path / "album")
    assert people(ada.parent).photos == {
        "ada": [ada / "1.jpg", ada / "3.jpg", ada / "album" / "2.jpg"],
        "bob": [ada.parent / "bob" / "2.jpg"],
    }
    assert told(ada.parent) == {}


def test_a_link_back_to_a_folder_above_is_named_and_not_followed(ada: Path) -> None:
    (ada / "loop").symlink_to(ada)
    (ada / "up").symlink_to(ada.parent)
    assert told(ada.parent) == {"ada/loop": "UNREADABLE", "ada/up": "UNREADABLE"}


def test_what_is_no_readable_file_is_named_and_not_opened(ada: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(ada / "pipe.jpg")
    (ada / "gone.jpg").symlink_to("nowhere")
    (ada / "unlikely.jpg").symlink_to("x" * 300)
    (ada / "film.mov").write_bytes(b"123")
    (ada / "empty.jpg").touch()
    monkeypatch.setattr(person_folders, "LARGEST_PHOTO", 2)
    assert told(ada.parent) == {
        "ada/film.mov": "IMAGE_TOO_LARGE",
        "ada/gone.jpg": "UNREADABLE",
        "ada/pipe.jpg": "UNREADABLE",
        "ada/unlikely.jpg": "UNREADABLE",
    }


def test_a_folder_that_cannot_be_listed_is_named(ada: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = ada / "closed"
    closed.mkdir()
    listed = Path.iterdir

    def iterdir(folder: Path) -> object:
        # Permissions would not keep root out.
        if folder == closed:
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    [unusable] = people(ada.parent).unusable
    assert (unusable.subject, unusable.path, unusable.message) == ("ada", closed, "Permission denied")


def test_a_folder_with_nothing_but_litter_has_no_photo(ada: Path) -> None:
    for name in ("Thumbs.db", ".hidden.jpg"):
        (ada.parent / "bob").mkdir(exist_ok=True)
        (ada.parent / "bob" / name).touch()
    assert told(ada.parent) == {"bob": "NO_PHOTO"}


def test_a_person_may_be_called_like_a_handle_or_a_number(ada: Path) -> None:
    for name in ("@ada", "#1", "$5"):
        (ada.parent / name).mkdir()
        (ada.parent / name / "1.jpg").touch()
    assert set(people(ada.parent).photos) == {"ada", "@ada", "#1", "$5"}


@pytest.mark.parametrize("name", [".git/x.jpg", "@eaDir/x.jpg", "x.jpg"])
def test_a_folder_without_people_is_a_mistake(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(CommandError, match="no folder with photos"):
        people(tmp_path)
