"""`facegraph gallery` on files. What these commands do is tested in tests/gallery."""

import asyncio
import io
import os
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from facegraph.cli import gallery_files, options, output
from gallery.errors import unreadable
from gallery.location import Location
from gallery.records import EmbeddingKind
from gallery.settings import GalleryArgs
from gallery.storage.disk import lock
from tests.facegraph.cli import Run
from tests.gallery.sample_gallery import KIND, NAME, Storage, enrol, face, people, writing


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery of two collections, which GALLERY_URI names."""
    folder = tmp_path / "gallery"

    async def fill() -> None:
        async with writing(Location(str(folder))) as writer:
            await enrol(writer, *people(4), face("alice"), face("alice", source="other"))
            await writer.create("[bold]\x1b[2J", EmbeddingKind("facenet", "facenet-model", "other", 8), None)

    asyncio.run(fill())
    monkeypatch.setenv("GALLERY_URI", f"file://{folder}")
    return folder


def test_the_list_escapes_control_characters_and_reports_damage(run: Run, gallery: Path) -> None:
    status, out, _ = run("gallery", "list", "--offline")
    [other, own] = [line.split()[:5] for line in out.splitlines()[1:]]
    assert (status, other) == (0, ["[bold]\\x1b[2J", "facenet-model", "other", "0", "0"])
    assert own == [NAME, KIND.model, KIND.contract, "6", "5"]
    location = Storage(str(gallery))
    shutil.rmtree(location.table_folder(asyncio.run(location.table()).name))
    status, out, err = run("gallery", "list", "--offline", "--json")
    assert (status, "facenet-model" in out, NAME in out) == (1, True, False)
    assert err == f"error The files of the collection {NAME} cannot be read\n"


def test_an_export_is_imported(run: Run, gallery: Path, tmp_path: Path) -> None:
    export, fresh = tmp_path / "out", tmp_path / "fresh"
    assert f"exported {NAME}: 6 faces in {export}/0002-" in run("gallery", "export", export)[1]
    imported = run("gallery", "import", "--offline", export, "--uri", fresh)[1].splitlines()
    assert imported == ["imported [bold]\\x1b[2J: 0 new of 0 faces", f"imported {NAME}: 6 new of 6 faces"]
    first, second = (sorted(asyncio.run(Storage(str(folder)).listed())) for folder in (gallery, fresh))
    assert first == second
    assert run("gallery", "export", tmp_path / "one", "--collection", NAME)[0] == 0
    out = run("gallery", "import", "--offline", *(tmp_path / "one").iterdir(), "--into", "copy")[1]
    assert out == "imported copy: 6 new of 6 faces\n"


def test_a_terminal_shows_progress(run: Run, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(output, "stderr", Console(file=screen, force_terminal=True, color_system=None, width=200))
    assert run("gallery", "export", tmp_path / "out")[0] == 0
    shown = [text in screen.getvalue() for text in (f"exporting {NAME}", "6/6", "\x1b[2J")]
    assert shown == [True, True, False]


def test_a_backup_is_restored_and_replaces_a_gallery_only_on_request(run: Run, gallery: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert run("gallery", "backup", kept)[:2] == (0, f"backed up 2 collections to {kept}\n")
    assert run("gallery", "restore", kept)[0] == 1
    status, out, _ = run("gallery", "restore", kept, "--replace")
    [aside] = tmp_path.glob("gallery.before-*")
    assert (status, f"moved to {aside} and still contains its faces" in out) == (0, True)


def test_subjects_are_deleted_and_the_gallery_is_cleaned(run: Run, gallery: Path) -> None:
    words = ("gallery", "delete", "--offline", "--collection")
    assert run(*words, NAME, "alice", "nobody\x07")[:2] == (0, "deleted 2 faces of alice\nno faces of nobody\\x07\n")
    assert f"cleaned {NAME}: " in run("gallery", "clean")[1]
    assert run(*words, "nobody", "alice")[::2] == (1, "error There is no collection called nobody\n")


def test_a_clean_up_reports_all_damaged_collections(run: Run, gallery: Path) -> None:
    for folder in gallery.glob("faces-*.lance"):
        shutil.rmtree(folder / "_versions")
    _, _, err = run("gallery", "clean")
    first, second = (f"The files of the collection {name} cannot be read" for name in ("[bold]\\x1b[2J", NAME))
    assert err == f"error {first}; {NAME}: COLLECTION_UNREADABLE: {second}\n"


@pytest.mark.parametrize("error", [unreadable("staff"), RuntimeError("lost")])
def test_the_first_failed_collection_is_named_once(error: Exception) -> None:
    error.add_note(f"staff: {error!r}")
    error.add_note("guests: full")
    with pytest.raises(output.CommandError) as caught, gallery_files.gallery_errors():
        raise error
    assert [str(caught.value).count(name) for name in ("staff", "guests: full")] == [1, 1]


def test_a_gallery_in_use_is_only_read(run: Run, gallery: Path, tmp_path: Path) -> None:
    held = asyncio.run(lock(gallery, 0))
    for words in (f"export {tmp_path}/out", "list --offline", f"backup {tmp_path}/kept"):
        assert run("gallery", *words.split())[0] == 0
    delete = f"delete --offline --collection {NAME} alice"
    for words in (f"import --offline {tmp_path}/out", delete, f"restore {tmp_path}/kept --replace"):
        assert run("gallery", *words.split())[2].endswith(f"{gallery}, usually the running service: stop it first\n")
    assert run("gallery", "clean")[2].endswith("; to clean up a running service, use POST /v1/gallery/clean\n")
    os.close(held)


def test_a_missing_gallery_is_an_error_and_not_created(run: Run, tmp_path: Path) -> None:
    for words in ("list --offline", "delete --offline --collection x y", "clean"):
        status, out, err = run("gallery", *words.split(), "--uri", tmp_path / "none")
        assert (status, out, err) == (1, "", f"error there is no gallery at {tmp_path / 'none'}\n")
    assert list(tmp_path.iterdir()) == []
    _, _, err = run("gallery", "list", "--offline", "--uri", tmp_path)
    assert err == f"error there is no gallery at {tmp_path}\n"


def test_an_error_of_the_operating_system_begins_with_the_file(run: Run, gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for words in ("export", "backup"):
        status, _, err = run("gallery", words, tmp_path / "file" / "out")
        assert (status, err.startswith(f"error {tmp_path / 'file'}"), "Errno" in err) == (1, True, False), err


def test_an_error_of_the_storage_is_reported_in_one_sentence(run: Run, gallery: Path, tmp_path: Path) -> None:
    for path in gallery.glob("faces-*.lance/data/*"):
        path.unlink()
    status, _, err = run("gallery", "export", tmp_path / "out")
    assert (status, err.count("\n"), "Not found" in err, ".cargo" in err) == (1, 1, True, False)


def test_storage_options_reach_the_object_store(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Location] = []

    async def collections_at(place: Location) -> list[object]:
        seen.append(place)
        return []

    monkeypatch.setattr(gallery_files, "collections_at", collections_at)
    words = ["gallery", "list", "--offline", "--uri", "s3://x/y"]
    assert run(*words, "--storage-option", "region=a=b", "--storage-option", "k=")[0] == 0
    assert seen == [Location("s3://x/y", {"region": "a=b", "k": ""})]


def test_the_default_gallery_is_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GALLERY_URI", raising=False)
    assert GalleryArgs().uri == options.DEFAULT_URI
