"""Sources of weight files, their order, and the error if none has the file."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.card import Card
from models.downloads import Downloads
from models.errors import ModelError
from models.fetch import fetch
from models.sources import Source, WeightFile
from models.store import Store
from tests.models.cards import WEIGHTS, digest, made_card
from tests.models.site import Site

OTHER = b"other weights"


@dataclass
class Fetching:
    """A store, and a mirror if `mirror` is set."""

    store: Store
    downloads: Downloads
    mirror: Path | None = None

    def files(self, card: Card) -> dict[str, bytes]:
        """Fetch a card and return the files in its folder."""
        fetch(card, self.store, self.downloads, self.mirror)
        return {path.name: path.read_bytes() for path in self.store.folder(card).iterdir()}

    def refusal(self, card: Card) -> str:
        """The error of a card that cannot be fetched. Checks that nothing of it is left."""
        with pytest.raises(ModelError) as caught:
            self.files(card)
        assert [*self.store.root.glob("*/*")] == []
        return str(caught.value)


@pytest.fixture
def fetching(tmp_path: Path) -> Fetching:
    return Fetching(Store(tmp_path / "models"), Downloads(tmp_path / "downloads", lambda *_: None))


def card_from(*sources: Source) -> Card:
    return made_card(files=[WeightFile(name="weights.bin", sha256=digest(WEIGHTS), sources=sources)])


def packed(folder: Path, kind: str, content: bytes = WEIGHTS) -> bytes:
    """An archive with a file in its folder `inner`."""
    (folder / "inner").mkdir()
    (folder / "inner" / "weights").write_bytes(content)
    return Path(shutil.make_archive(str(folder / "archive"), kind, folder, "inner")).read_bytes()


def test_every_file_that_is_missing_or_damaged_is_fetched(fetching: Fetching, site: Site) -> None:
    files = [
        WeightFile(name=f"{number}.bin", sha256=digest(content), sources=(site.source(f"/{number}", content),))
        for number, content in enumerate((WEIGHTS, OTHER))
    ]
    card = made_card(files=files)
    assert fetching.files(card) == {"0.bin": WEIGHTS, "1.bin": OTHER}
    fetching.downloads.clear()
    (fetching.store.folder(card) / "1.bin").write_bytes(b"damaged")
    assert fetching.files(card) == {"0.bin": WEIGHTS, "1.bin": OTHER}
    assert [path for path, _ in site.asked] == ["/0", "/1", "/1"]


def member_of(site: Site, archive: bytes, member: str = "inner/weights") -> Card:
    """A card whose file is a member of an archive."""
    return card_from(site.source("/archive", archive, archive_sha256=digest(archive), member=member))


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_one_member_is_taken_out_of_an_archive(fetching: Fetching, site: Site, tmp_path: Path, kind: str) -> None:
    assert fetching.files(member_of(site, packed(tmp_path, kind))) == {"weights.bin": WEIGHTS}


@pytest.mark.parametrize(
    ("kind", "member", "content", "problem"),
    [
        ("zip", "inner/other", WEIGHTS, "the archive has no inner/other"),
        ("gztar", "inner/other", WEIGHTS, "the archive has no inner/other"),
        ("gztar", "inner", WEIGHTS, "inner is not a file in the archive"),
        *((kind, "inner/weights", OTHER, f"weights.bin has the SHA-256 {digest(OTHER)}") for kind in ("zip", "gztar")),
    ],
)
def test_an_archive_without_the_file_is_refused(
    fetching: Fetching, site: Site, tmp_path: Path, kind: str, member: str, content: bytes, problem: str
) -> None:
    assert problem in fetching.refusal(member_of(site, packed(tmp_path, kind, content), member))


def test_an_archive_that_cannot_be_read_is_refused(fetching: Fetching, site: Site, tmp_path: Path) -> None:
    for archive in (b"no archive at all", packed(tmp_path, "zip").replace(b"PK\3\4", b"none")):
        assert "the archive with inner/weights cannot be read" in fetching.refusal(member_of(site, archive))


def test_sources_are_asked_in_order_and_a_mirror_before_them(fetching: Fetching, site: Site, tmp_path: Path) -> None:
    """Files in the mirror are found by their hash."""
    fetching.mirror = tmp_path / "mirror"
    inner = fetching.mirror / "some" / "folder"
    inner.mkdir(parents=True)
    (fetching.mirror / "weights.bin").write_bytes(OTHER)
    gone, wrong = site.source("/gone"), site.source("/wrong", OTHER)
    card = card_from(gone, wrong, site.source("/right", WEIGHTS), site.source("/never", WEIGHTS))
    assert fetching.files(card) == {"weights.bin": WEIGHTS}
    assert [path for path, _ in site.asked] == ["/gone", "/wrong", "/right"]
    (inner / "another name").write_bytes(WEIGHTS)
    (fetching.store.folder(card) / "weights.bin").unlink()
    assert fetching.files(card) == {"weights.bin": WEIGHTS}
    assert len(site.asked) == 3


def test_one_error_says_what_each_source_answered_and_what_to_do(
    fetching: Fetching, site: Site, tmp_path: Path
) -> None:
    fetching.mirror = tmp_path
    answer = fetching.refusal(card_from(site.source("/gone.bin"), site.source("/wrong.bin", OTHER)))
    parts = ["weights.bin of the model made-up", str(tmp_path), "gone.bin", "wrong.bin"]
    places = [answer.find(part) for part in [*parts, "--mirror or MODEL_MIRROR"]]
    assert -1 not in places
    assert places == sorted(places)
    assert "\n" not in answer


def test_a_file_without_sources_is_beside_its_card(
    fetching: Fetching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_CARDS", str(tmp_path))
    (tmp_path / "made-up.toml").touch()
    expected = f"but its card expects the SHA-256 {digest(WEIGHTS)}"
    assert fetching.refusal(card_from()).endswith(f"{tmp_path}/weights.bin is missing, {expected}")
    (tmp_path / "weights.bin").write_bytes(OTHER)
    assert fetching.refusal(card_from()).endswith(f"weights.bin has the SHA-256 {digest(OTHER)}, {expected}")
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    assert fetching.files(card_from()) == {"weights.bin": WEIGHTS}
