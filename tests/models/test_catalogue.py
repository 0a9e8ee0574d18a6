"""The cards of the catalogue, and how they are found."""

from pathlib import Path

import pytest

from models.card import Card
from models.catalogue import CARDS, card, cards, caveats, folder_of, networks_of, ranges_path
from models.errors import ModelError
from models.tasks import FACE_TASKS
from tests.models.cards import digest

REGISTRY_CARRIED = {"mtcnn", "mediapipe-full-range", "mediapipe-short-range", "mobilefacenet", "facenet", "fr-liveness"}

CONTRACTS = {
    "arcface-r50": "9239b40ae8fa73da",
    "facenet": "68ea471c79348885",
    "fr-feature": "c28f7dc540c4e04a",
    "facenet512": "79b80301a7906806",
    "inception-resnet-v1": "d3bf756328f2c524",
    "mobilefacenet": "499f2c0ac50eba0c",
}
"""Embedding contracts of galleries in use."""


def test_every_file_is_a_card_under_its_name() -> None:
    assert list(cards()) == sorted(path.stem for path in CARDS.glob("*.toml"))
    assert {name: entry.name for name, entry in cards().items()} == {name: name for name in cards()}
    assert {entry.task for entry in cards().values()} == {"detector", *FACE_TASKS}


def test_every_card_with_an_int8_file_has_ranges_and_no_other_card_has() -> None:
    named = [ranges_path(entry) for entry in cards().values() if entry.int8]
    assert named == sorted(CARDS.glob("*.json")) != []


def test_the_embedders_keep_their_contracts() -> None:
    embedders = {name: entry for name, entry in cards().items() if entry.task == "embedder"}
    assert {name: entry.embedding_contract for name, entry in embedders.items()} == CONTRACTS


def test_models_from_the_registries_need_no_other_source() -> None:
    registries = ("pypi", "npm")
    carried = {
        entry.name: entry
        for entry in cards().values()
        if all(file.sources[0].kind in registries for each in networks_of(entry) for file in each.files)
    }
    assert set(carried) >= REGISTRY_CARRIED
    assert {entry.task for entry in carried.values()} == {"detector", *FACE_TASKS}
    assert not any(entry.non_commercial for entry in carried.values())


def test_a_licence_against_commercial_use_is_marked() -> None:
    marked = {name for name, entry in cards().items() if entry.non_commercial}
    assert marked == {name for name, entry in cards().items() if "non-commercial" in entry.licence} == {"arcface-r50"}


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match=f"unknown model 'arcfaec'; available: {', '.join(cards())}"):
        card("arcfaec")


def refusal() -> str:
    """The error of the catalogue, one line."""
    with pytest.raises(ModelError) as caught:
        cards.__wrapped__()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["crmnet-duo", "crmnet-trio"])
def test_a_fusion_takes_crops_licence_and_caveats_from_its_members(name: str) -> None:
    entry, members = card(name), networks_of(card(name))
    assert entry.fusion
    assert tuple(member.name for member in members) == entry.fusion.members
    assert set(entry.crops) == {spec for member in members for spec in member.crops}
    assert len(set(entry.crops)) == len(entry.crops)
    assert set(entry.licence.split(" AND ")) == {member.licence for member in members}
    assert set(entry.caveats) >= {caveat for member in members for caveat in member.caveats}
    assert "non-commercial" in " ".join(entry.caveats)


@pytest.mark.parametrize("entry", cards().values(), ids=cards())
def test_a_card_states_what_was_measured_what_it_cannot_see_and_what_replaces_it(entry: Card) -> None:
    assert all(0 < threshold.value < 1 and threshold.measured_on for threshold in entry.thresholds)
    assert not entry.superseded_by or card(entry.superseded_by).task == entry.task
    if entry.task == "liveness":
        threshold = entry.threshold("live")
        assert threshold.bona_fide
        assert {attack.kind for attack in threshold.attacks} >= {"print-nuaa", "celebaspoof", "other"}
        assert any("masks" in caveat.lower() for caveat in entry.caveats)


def test_caveats_are_listed_once_with_the_cards_that_have_them() -> None:
    found = caveats(cards().values())
    assert {(caveat, name) for caveat, names in found.items() for name in names} == {
        (caveat, entry.name) for entry in cards().values() for caveat in entry.caveats
    }


OWN, DUO = ((CARDS / f"{name}.toml").read_text("utf-8") for name in ("mobilefacenet", "crmnet-duo"))


@pytest.fixture
def own_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of further cards with one, own, whose file is beside it."""
    monkeypatch.setenv("MODEL_CARDS", str(tmp_path))
    (tmp_path / "own.toml").write_text(OWN.replace(card("mobilefacenet").files[0].sha256, digest(b"own")), "utf-8")
    return tmp_path


OF_MEMBERS = "a member of [fusion] is unknown or itself a fusion: "


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("title = ?", "Invalid value (at line 1"),
        ('title = "\udcff"', "'utf-8' codec can't decode"),
        (OWN.partition("[[thresholds]]")[0], "thresholds: a card for the task embedder"),
        (OWN.replace('fit = "aligned"', 'fit = "round"'), "crops.0.fit: "),
        (
            OWN.replace('architecture = "', 'architecture = "x'),
            "architecture: unknown architecture xmobilefacenet; available: ",
        ),
        (f'name = "x"\n{OWN}', "name: must be the file name without .toml"),
        (DUO.replace('"minifasnet"', '"x"'), f"{OF_MEMBERS}'x'"),
        (DUO.replace('"minifasnet"', '"crmnet-duo"'), f"{OF_MEMBERS}'crmnet-duo'"),
        (DUO.replace('"minifasnet"', '"mobilefacenet"'), "these members of [fusion] have a different task"),
        (f'licence = "MIT"\n{DUO}', "a fusion takes these fields from its members: licence"),
        (DUO.replace("caveats = [", 'caveats = "x"\nx = ['), "caveats: Input should be a list"),
    ],
)
def test_a_card_that_is_not_valid_is_named_with_the_field(own_cards: Path, text: str, problem: str) -> None:
    (own_cards / "own.toml").write_text(text, "utf-8", "surrogateescape")
    assert refusal().startswith(f"the model card {own_cards / 'own.toml'} is not valid: {problem}")


def test_a_folder_of_further_cards_is_part_of_the_catalogue(own_cards: Path) -> None:
    found = cards.__wrapped__()
    assert found.keys() - cards().keys() == {"own"}
    assert folder_of(found["own"]) == own_cards
    assert folder_of(card("mobilefacenet")) == CARDS


def test_two_cards_of_one_name_are_refused(own_cards: Path) -> None:
    (own_cards / "own.toml").rename(own_cards / "facenet.toml")
    assert refusal() == f"two model cards are called facenet: {CARDS}/facenet.toml and {own_cards}/facenet.toml"


def test_a_missing_folder_of_further_cards_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_CARDS", "/no/such/folder")
    assert refusal() == "MODEL_CARDS is /no/such/folder, which is not a folder"
