"""The cards of the catalogue, and how they are found."""

import importlib.util
from importlib import metadata
from pathlib import Path

import pytest

from models import catalogue
from models.card import Card, InstalledSource
from models.catalogue import CARDS, card, cards, ranges_path
from models.errors import ModelError
from models.store import sha256_of
from tests.models.cards import made_card

REGISTRY_CARRIED = {"mtcnn", "mediapipe-full-range", "mediapipe-short-range", "mobilefacenet", "facenet", "deep-tree"}
EVERY_CARD = pytest.mark.parametrize("entry", cards().values(), ids=cards())


def test_every_file_is_a_card_under_its_name() -> None:
    assert list(cards()) == sorted(path.stem for path in CARDS.glob("*.toml"))
    assert {name: entry.name for name, entry in cards().items()} == {name: name for name in cards()}
    assert {entry.task for entry in cards().values()} == {"detector", "liveness", "embedder"}


@EVERY_CARD
def test_an_architecture_is_a_module_that_can_export(entry: Card) -> None:
    found = importlib.util.find_spec(f"models.architectures.{entry.architecture}")
    assert found is not None
    assert found.origin is not None
    assert "\ndef export(card: Card, folder: Path) -> None:" in Path(found.origin).read_text("utf-8")


@EVERY_CARD
def test_every_embedder_and_liveness_network_states_its_threshold(entry: Card) -> None:
    metrics = {"detector": [], "liveness": ["live"], "embedder": ["cosine"]}[entry.task]
    assert [threshold.metric for threshold in entry.thresholds] == metrics
    assert all(0 < threshold.value < 1 and threshold.measured_on for threshold in entry.thresholds)


@EVERY_CARD
def test_names_of_files_and_exports_do_not_clash(entry: Card) -> None:
    names = [*(file.name for file in entry.files), *entry.exports, "manifest.json", "export.log"]
    assert len(names) == len(set(names))


def test_ranges_stand_beside_every_card_with_an_int8_file_and_no_other() -> None:
    named = [ranges_path(entry) for entry in cards().values() if entry.int8]
    assert named == sorted(CARDS.glob("*.json")) != []


def test_embedders_of_different_weights_have_different_contracts() -> None:
    contracts = [entry.embedding_contract for entry in cards().values() if entry.task == "embedder"]
    assert len(contracts) == len(set(contracts)) >= 4


def test_what_the_registries_carry_needs_no_other_address() -> None:
    carried = {
        name: entry
        for name, entry in cards().items()
        if all(file.sources[0].kind in ("installed", "pypi", "npm") for file in entry.files)
    }
    assert set(carried) >= REGISTRY_CARRIED
    assert {entry.task for entry in carried.values()} == {"detector", "liveness", "embedder"}
    assert not any(entry.non_commercial for entry in carried.values())


def test_installed_weights_have_the_hash_of_their_card() -> None:
    hashes = {
        file.sha256: sha256_of(Path(str(metadata.distribution(source.package).locate_file(source.member))))
        for entry in cards().values()
        for file in entry.files
        for source in file.sources
        if isinstance(source, InstalledSource)
    }
    assert len(hashes) >= 3
    assert list(hashes) == list(hashes.values())


def test_a_licence_against_commercial_use_is_marked() -> None:
    marked = {name for name, entry in cards().items() if entry.non_commercial}
    assert marked == {name for name, entry in cards().items() if "non-commercial" in entry.licence} == {"arcface-r50"}


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(ModelError) as caught:
        card("arcfaec")
    assert "'arcfaec'" in str(caught.value)
    assert all(name in str(caught.value) for name in cards())


@pytest.mark.parametrize(
    ("text", "problem"),
    [("title = ?", "line 1"), ('title = "A card"\nlicens = "MIT"\n', "licens")],
    ids=["no TOML", "no card"],
)
def test_a_card_that_is_not_valid_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    (tmp_path / "broken.toml").write_text(text)
    monkeypatch.setattr(catalogue, "CARDS", tmp_path)
    with pytest.raises(ModelError) as caught:
        cards.__wrapped__()
    assert str(tmp_path / "broken.toml") in str(caught.value)
    assert problem in str(caught.value)


def test_a_new_file_is_a_new_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made-up.toml").write_text((CARDS / "mobilefacenet.toml").read_text())
    monkeypatch.setattr(catalogue, "CARDS", tmp_path)
    (name, entry), *others = cards.__wrapped__().items()
    assert not others
    assert name == entry.name == made_card().name
    assert entry.embedding_contract == card("mobilefacenet").embedding_contract
