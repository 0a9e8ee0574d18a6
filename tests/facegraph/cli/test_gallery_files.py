"""`facegraph gallery` on files: what an operator types, and what they read."""

import asyncio
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from facegraph.cli import gallery_files, options, terminal
from gallery.location import Location
from gallery.reader import Reader
from gallery.records import EmbeddingKind
from gallery.settings import GalleryArgs
from gallery.writer import Writer
from tests.facegraph.cli.typing import Run
from tests.gallery.sample_gallery import KIND, NAME, enrol, face, listed, people, table_folder, writing


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GALLERY_URI", raising=False)


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A gallery of two collections."""
    folder = tmp_path / "gallery"

    async def fill() -> None:
        async with writing(Location(str(folder))) as writer:
            await enrol(writer, *people(4), face("alice"), face("alice", source="other"))
            await writer.create("[bold]\x1b[2J", EmbeddingKind("facenet", "facenet-model", "other", 8), None)

    asyncio.run(fill())
    return folder


@pytest.fixture
def held(gallery: Path) -> Iterator[Path]:
    """The gallery while a service has it."""
    loop = asyncio.new_event_loop()
    writer = loop.run_until_complete(Writer.open(Location(str(gallery))))
    yield gallery
    loop.run_until_complete(writer.close())
    loop.close()


def subjects(folder: Path, name: str = NAME) -> list[str]:
    return sorted(asyncio.run(listed(Location(str(folder)), name)))


def test_the_list_shows_every_collection_and_steers_no_terminal(run: Run, gallery: Path) -> None:
    status, out, _ = run("gallery", "list", "--offline", "--uri", gallery)
    assert status == 0
    [other, own] = [line.split() for line in out.splitlines()[1:]]
    assert other[:5] == ["[bold]\\x1b[2J", "facenet-model", "other", "0", "0"]
    assert own[:5] == [NAME, KIND.model, KIND.contract, "6", "5"]
    assert own[6] in ("bytes", "kB")
    assert "\x1b" not in out


def test_a_damaged_collection_is_named_and_the_others_are_listed(run: Run, gallery: Path) -> None:
    collection = asyncio.run(Reader(Location(str(gallery)), 0).collection(NAME))
    shutil.rmtree(table_folder(Location(str(gallery)), collection.table))
    for words in (["list"], ["list", "--json"]):
        status, out, err = run("gallery", *words, "--offline", "--uri", gallery)
        assert (status, "facenet-model" in out, NAME in out) == (1, True, False)
        assert err == f"error The files of the collection {NAME} cannot be read\n"


def test_an_export_is_imported(run: Run, gallery: Path, tmp_path: Path) -> None:
    status, out, _ = run("gallery", "export", tmp_path / "out", "--uri", gallery)
    assert status == 0
    assert f"exported {NAME}: 6 faces in {tmp_path / 'out'}/0002-" in out
    status, out, _ = run("gallery", "import", tmp_path / "out", "--uri", tmp_path / "fresh")
    assert (status, out.splitlines()) == (
        0,
        ["imported [bold]\\x1b[2J: 0 new of 0 faces", f"imported {NAME}: 6 new of 6 faces"],
    )
    assert subjects(tmp_path / "fresh") == subjects(gallery)


def test_a_terminal_shows_how_far_it_is(
    run: Run, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(terminal, "notes", Console(file=screen, force_terminal=True, color_system=None, width=200))
    assert run("gallery", "export", tmp_path / "out", "--uri", gallery)[0] == 0
    assert f"exporting {NAME}" in screen.getvalue()
    assert "6/6" in screen.getvalue()
    assert "\x1b[2J" not in screen.getvalue()


def test_one_collection_goes_into_another(run: Run, gallery: Path, tmp_path: Path) -> None:
    assert run("gallery", "export", tmp_path / "out", "--collection", NAME, "--uri", gallery)[0] == 0
    status, out, _ = run("gallery", "import", *(tmp_path / "out").iterdir(), "--into", "copy", "--uri", gallery)
    assert (status, out) == (0, "imported copy: 6 new of 6 faces\n")
    assert subjects(gallery, "copy") == subjects(gallery)
    status, _, err = run("gallery", "export", tmp_path / "none", "--collection", "nobody", "--uri", gallery)
    assert (status, err) == (1, "error There is no collection called nobody\n")


def test_what_is_no_export_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "[x].parquet").write_text("no")
    status, _, err = run("gallery", "import", tmp_path / "[x].parquet", "--uri", tmp_path / "fresh")
    assert status == 1
    assert err.startswith(f"error {tmp_path}/[x].parquet cannot be imported: ")
    assert err.count("\n") == 1


def test_a_backup_is_restored(run: Run, gallery: Path, tmp_path: Path) -> None:
    before = subjects(gallery)
    status, out, _ = run("gallery", "backup", tmp_path / "kept", "--uri", gallery)
    assert (status, out) == (0, f"backed up 2 collections to {tmp_path / 'kept'}\n")
    status, out, _ = run("gallery", "restore", tmp_path / "kept", "--uri", tmp_path / "fresh")
    assert (status, out) == (0, f"restored 2 collections from {tmp_path / 'kept'}\n")
    assert subjects(tmp_path / "fresh") == before


def test_a_gallery_is_replaced_only_when_asked_to(run: Run, gallery: Path, tmp_path: Path) -> None:
    run("gallery", "backup", tmp_path / "kept", "--uri", gallery)
    run("gallery", "delete", "--offline", "--collection", NAME, "alice", "--uri", gallery)
    status, _, err = run("gallery", "restore", tmp_path / "kept", "--uri", gallery)
    assert (status, err) == (1, f"error the gallery at {gallery} is not empty; --replace sets it aside\n")
    assert "alice" not in subjects(gallery)
    status, out, _ = run("gallery", "restore", tmp_path / "kept", "--replace", "--uri", gallery)
    assert status == 0
    [aside] = tmp_path.glob("gallery.before-*")
    assert f"{aside} now and still holds its faces: delete that folder by hand" in out
    assert "alice" in subjects(gallery)
    assert "alice" not in subjects(aside)


def test_subjects_are_deleted_and_erased(run: Run, gallery: Path) -> None:
    def holds() -> bool:
        return any(b"alice" in path.read_bytes() for path in gallery.rglob("*") if path.is_file())

    status, out, _ = run(
        "gallery", "delete", "--offline", "--collection", NAME, "alice", "nobody\x07", "--uri", gallery
    )
    assert (status, out) == (0, "deleted 2 faces of alice\nno faces of nobody\\x07\n")
    assert subjects(gallery) == [f"subject-{number}" for number in range(4)]
    assert holds()
    status, out, _ = run("gallery", "clean", "--uri", gallery)
    assert status == 0
    assert f"cleaned {NAME}: " in out
    assert not holds()
    status, _, err = run("gallery", "delete", "--offline", "--collection", "nobody", "alice", "--uri", gallery)
    assert (status, err) == (1, "error There is no collection called nobody\n")


def test_beside_a_service_a_gallery_is_only_read(run: Run, held: Path, tmp_path: Path) -> None:
    assert run("gallery", "list", "--offline", "--uri", held)[0] == 0
    assert run("gallery", "backup", tmp_path / "kept", "--uri", held)[0] == 0
    assert run("gallery", "export", tmp_path / "out", "--uri", held)[0] == 0
    in_use = f"error another process writes to the gallery at {held}"
    for words in (
        ("import", tmp_path / "out"),
        ("delete", "--offline", "--collection", NAME, "alice"),
        ("restore", tmp_path / "kept", "--replace"),
    ):
        assert run("gallery", *words, "--uri", held) == (
            1,
            "",
            f"{in_use}, the running service as a rule: stop it first\n",
        )
    status, _, err = run("gallery", "clean", "--uri", held)
    assert (status, err) == (1, f"{in_use}; the service cleans it up itself when asked by POST /v1/gallery/clean\n")
    assert len(subjects(held)) == 5


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--offline"],
        ["export", "out"],
        ["backup", "out"],
        ["clean"],
        ["delete", "--offline", "--collection", "x", "y"],
    ],
)
def test_a_place_without_a_gallery_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no gallery")
    (tmp_path / "folder").mkdir()
    assert run("gallery", *words, "--uri", tmp_path / "none") == (
        1,
        "",
        f"error there is no gallery at {tmp_path / 'none'}\n",
    )
    assert run("gallery", *words, "--uri", tmp_path / "file") == (
        1,
        "",
        f"error there is no gallery at {tmp_path / 'file'}\n",
    )
    status, out, err = run("gallery", *words, "--uri", tmp_path / "folder")
    assert (status, out) == (1, "")
    assert err.startswith(f"error there is no gallery at {tmp_path / 'folder'}: ")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_damaged_gallery_is_one_sentence(run: Run, gallery: Path, tmp_path: Path) -> None:
    for path in gallery.glob("faces-*.lance/data/*"):
        path.unlink()
    status, _, err = run("gallery", "export", tmp_path / "out", "--uri", gallery)
    assert status == 1
    assert "Not found" in err
    assert ".cargo" not in err
    assert err.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_the_gallery_may_come_from_the_environment(
    run: Run, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALLERY_URI", f"file://{gallery}")
    assert NAME in run("gallery", "list", "--offline")[1]
    # Its lock is a folder's.
    assert run("gallery", "delete", "--offline", "--collection", NAME, "alice") == (0, "deleted 2 faces of alice\n", "")
    assert run("gallery", "list", "--offline", "--uri", tmp_path / "none")[0] == 1


def test_storage_options_reach_the_object_store(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Location] = []

    async def listed(place: Location) -> list[object]:
        seen.append(place)
        return []

    monkeypatch.setattr(gallery_files, "collections_at", listed)
    words = ["gallery", "list", "--offline", "--uri", "s3://x/y"]
    status, _, _ = run(*words, "--storage-option", "region=a=b", "--storage-option", "k=")
    assert (status, seen) == (0, [Location("s3://x/y", {"region": "a=b", "k": ""})])
    status, _, err = run(*words, "--storage-option", "region")
    assert status == 2
    assert "region is not KEY=VALUE" in err


def test_the_default_gallery_is_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GalleryArgs().uri == options.DEFAULT_URI
