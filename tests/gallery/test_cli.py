"""`python -m gallery`: what an operator types, and what they read."""

import asyncio
import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gallery import __main__ as cli
from gallery.place import Place
from gallery.records import EmbeddingKind
from gallery.transfer import TransferError
from gallery.writer import Writer
from tests.conftest import PROJECT
from tests.gallery.made import KIND, NAME, enrol, face, listed, people, writing

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: status, output and errors."""
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("GALLERY_URI", raising=False)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gallery", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A gallery of two collections."""
    folder = tmp_path / "gallery"

    async def fill() -> None:
        async with writing(Place(str(folder))) as writer:
            await enrol(writer, *people(4), face("alice"), face("alice", source="other"))
            await writer.create("[bold]\x1b[2J", EmbeddingKind("facenet", "facenet-model", "other", 8), None)

    asyncio.run(fill())
    return folder


@pytest.fixture
def held(gallery: Path) -> Iterator[Path]:
    """The gallery while a service has it."""
    loop = asyncio.new_event_loop()
    writer = loop.run_until_complete(Writer.open(Place(str(gallery))))
    yield gallery
    loop.run_until_complete(writer.close())
    loop.close()


def subjects(folder: Path, name: str = NAME) -> list[str]:
    return sorted(asyncio.run(listed(Place(str(folder)), name)))


def test_the_module_can_be_run_and_explains_itself() -> None:
    command = [sys.executable, "-m", "gallery", "--help"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert all(word in done.stdout for word in ("list", "export", "import", "backup", "restore", "clean", "delete"))


def test_the_list_shows_every_collection_and_steers_no_terminal(run: Run, gallery: Path) -> None:
    status, out, _ = run("list", "--uri", gallery)
    assert status == 0
    [other, own] = [line.split() for line in out.splitlines()[1:]]
    assert other[:5] == ["[bold]\\x1b[2J", "facenet-model", "other", "0", "0"]
    assert own[:5] == [NAME, KIND.model, KIND.contract, "6", "5"]
    assert own[6] in ("bytes", "kB")
    assert "\x1b" not in out


def test_an_export_is_imported(run: Run, gallery: Path, tmp_path: Path) -> None:
    status, out, _ = run("export", tmp_path / "out", "--uri", gallery)
    assert status == 0
    assert f"exported {NAME}: 6 faces in {tmp_path / 'out'}/0002-" in out
    status, out, _ = run("import", tmp_path / "out", "--uri", tmp_path / "fresh")
    assert (status, out.splitlines()) == (
        0,
        ["imported [bold]\\x1b[2J: 0 new of 0 faces", f"imported {NAME}: 6 new of 6 faces"],
    )
    assert subjects(tmp_path / "fresh") == subjects(gallery)


def test_a_terminal_shows_how_far_it_is(
    run: Run, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(cli, "console", Console(file=screen, force_terminal=True, color_system=None, width=200))
    assert run("export", tmp_path / "out", "--uri", gallery)[0] == 0
    assert f"exporting {NAME}" in screen.getvalue()
    assert "6/6" in screen.getvalue()
    assert "\x1b[2J" not in screen.getvalue()


def test_one_collection_goes_into_another(run: Run, gallery: Path, tmp_path: Path) -> None:
    assert run("export", tmp_path / "out", "--collection", NAME, "--uri", gallery)[0] == 0
    status, out, _ = run("import", *(tmp_path / "out").iterdir(), "--into", "copy", "--uri", gallery)
    assert (status, out) == (0, "imported copy: 6 new of 6 faces\n")
    assert subjects(gallery, "copy") == subjects(gallery)
    status, _, err = run("export", tmp_path / "none", "--collection", "nobody", "--uri", gallery)
    assert (status, err) == (1, "error There is no collection called nobody\n")


def test_what_is_no_export_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "[x].parquet").write_text("no")
    status, _, err = run("import", tmp_path / "[x].parquet", "--uri", tmp_path / "fresh")
    assert status == 1
    assert err.startswith(f"error {tmp_path}/[x].parquet cannot be imported: ")
    assert err.count("\n") == 1


def test_a_backup_is_restored(run: Run, gallery: Path, tmp_path: Path) -> None:
    before = subjects(gallery)
    status, out, _ = run("backup", tmp_path / "kept", "--uri", gallery)
    assert (status, out) == (0, f"backed up 2 collections to {tmp_path / 'kept'}\n")
    status, out, _ = run("restore", tmp_path / "kept", "--uri", tmp_path / "fresh")
    assert (status, out) == (0, f"restored 2 collections from {tmp_path / 'kept'}\n")
    assert subjects(tmp_path / "fresh") == before


def test_a_gallery_is_replaced_only_when_asked_to(run: Run, gallery: Path, tmp_path: Path) -> None:
    run("backup", tmp_path / "kept", "--uri", gallery)
    run("delete", NAME, "alice", "--uri", gallery)
    status, _, err = run("restore", tmp_path / "kept", "--uri", gallery)
    assert (status, err) == (1, f"error the gallery at {gallery} is not empty; --replace sets it aside\n")
    assert "alice" not in subjects(gallery)
    status, out, _ = run("restore", tmp_path / "kept", "--replace", "--uri", gallery)
    assert status == 0
    [aside] = tmp_path.glob("gallery.before-*")
    assert f"{aside} now and still holds its faces: delete that folder by hand" in out
    assert "alice" in subjects(gallery)
    assert "alice" not in subjects(aside)


def test_subjects_are_deleted_and_erased(run: Run, gallery: Path) -> None:
    def holds() -> bool:
        return any(b"alice" in path.read_bytes() for path in gallery.rglob("*") if path.is_file())

    status, out, _ = run("delete", NAME, "alice", "nobody\x07", "--uri", gallery)
    assert (status, out) == (0, "deleted 2 faces of alice\nno faces of nobody\\x07\n")
    assert subjects(gallery) == [f"subject-{number}" for number in range(4)]
    assert holds()
    status, out, _ = run("clean", "--uri", gallery)
    assert status == 0
    assert f"cleaned {NAME}: " in out
    assert not holds()
    status, _, err = run("delete", "nobody", "alice", "--uri", gallery)
    assert (status, err) == (1, "error There is no collection called nobody\n")


def test_beside_a_service_a_gallery_is_only_read(run: Run, held: Path, tmp_path: Path) -> None:
    assert run("list", "--uri", held)[0] == 0
    assert run("backup", tmp_path / "kept", "--uri", held)[0] == 0
    assert run("export", tmp_path / "out", "--uri", held)[0] == 0
    in_use = f"error another process writes to the gallery at {held}"
    for words in (("import", tmp_path / "out"), ("delete", NAME, "alice"), ("restore", tmp_path / "kept", "--replace")):
        assert run(*words, "--uri", held) == (1, "", f"{in_use}, the running service as a rule: stop it first\n")
    status, _, err = run("clean", "--uri", held)
    assert (status, err) == (1, f"{in_use}; the service cleans it up itself when asked by POST /v1/gallery/clean\n")
    assert len(subjects(held)) == 5


@pytest.mark.parametrize("words", [["list"], ["export", "out"], ["backup", "out"], ["clean"], ["delete", "x", "y"]])
def test_a_place_without_a_gallery_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no gallery")
    (tmp_path / "folder").mkdir()
    assert run(*words, "--uri", tmp_path / "none") == (1, "", f"error there is no gallery at {tmp_path / 'none'}\n")
    assert run(*words, "--uri", tmp_path / "file") == (1, "", f"error there is no gallery at {tmp_path / 'file'}\n")
    status, out, err = run(*words, "--uri", tmp_path / "folder")
    assert (status, out) == (1, "")
    assert err.startswith(f"error there is no gallery at {tmp_path / 'folder'}: ")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_damaged_gallery_is_one_sentence(run: Run, gallery: Path, tmp_path: Path) -> None:
    for path in gallery.glob("faces-*.lance/data/*"):
        path.unlink()
    status, _, err = run("export", tmp_path / "out", "--uri", gallery)
    assert status == 1
    assert "Not found" in err
    assert ".cargo" not in err
    assert err.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_the_gallery_may_come_from_the_environment(
    run: Run, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALLERY_URI", f"file://{gallery}")
    assert NAME in run("list")[1]
    # Its lock is a folder's.
    assert run("delete", NAME, "alice") == (0, "deleted 2 faces of alice\n", "")
    assert run("list", "--uri", tmp_path / "none")[0] == 1


def test_storage_options_reach_the_object_store(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Place] = []

    async def statistics(place: Place) -> list[object]:
        seen.append(place)
        return []

    monkeypatch.setattr(cli, "_statistics", statistics)
    status, _, _ = run("list", "--uri", "s3://x/y", "--storage-option", "region=a=b", "--storage-option", "k=")
    assert (status, seen) == (0, [Place("s3://x/y", {"region": "a=b", "k": ""})])
    status, _, err = run("list", "--storage-option", "region")
    assert status == 2
    assert "region is not KEY=VALUE" in err


def test_the_default_gallery_is_the_services() -> None:
    assert str(PROJECT / "data" / "gallery") == cli.DEFAULT_URI


def test_the_application_raises_what_main_explains(gallery: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["export", str(tmp_path / "out"), "--uri", str(gallery)])
    assert done.exit_code == 0
    shutil.rmtree(gallery)
    done = CliRunner().invoke(cli.app, ["list", "--uri", str(gallery)])
    assert isinstance(done.exception, TransferError)
