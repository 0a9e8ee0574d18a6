"""The licence report: what packages state, what is allowed, and whether this environment complies."""

from email import message_from_string

import pytest

from models.catalogue import cards
from models.pull import configured_in
from project.root import ROOT
from supply.licences import NONE, Rules, main, networks, packages, rules, stated
from tests.default_configuration import CONFIG

RULES = Rules(
    allowed=frozenset({"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"}),
    allowed_for={"GPL-2.0-only": ("one",), "Closed": ("nvidia-*",)},
    read={},
    spelt={"MIT License": "MIT", "Apache Software License": "Apache-2.0"},
)


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT AND Zlib\nLicense: other", "MIT AND Zlib"),
        ("License: MIT License\nClassifier: License :: OSI Approved :: BSD License", "MIT"),
        ("License: Home-made", "Home-made"),
        ("License: All\n of it\nClassifier: License :: OSI Approved :: Apache Software License", "Apache-2.0"),
        ("Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: Other", "MIT AND Other"),
        ("Classifier: Operating System :: POSIX", NONE),
    ],
)
def test_licence_is_read_from_metadata(metadata: str, licence: str) -> None:
    assert stated(message_from_string(metadata), RULES) == licence


@pytest.mark.parametrize(
    ("name", "licence", "allowed"),
    [
        ("any", "MIT", True),
        ("any", "MIT AND (Apache-2.0 WITH LLVM-exception OR MIT)", True),
        ("any", "MIT AND Zlib", False),
        ("any", "MIT OR GPL-2.0-only", False),
        ("one", "GPL-2.0-only", True),
        ("one", "Closed", False),
        ("nvidia-cublas", "Closed", True),
        ("any", "MITX", False),
        ("any", NONE, False),
    ],
)
def test_every_part_of_a_licence_must_be_allowed(name: str, licence: str, allowed: bool) -> None:
    assert RULES.allow(name, licence) is allowed


def test_every_installed_package_is_allowed() -> None:
    found = packages(rules())
    assert {"ray", "torch", "pillow", "facegraph"} < {entry.name for entry in found}
    assert [(entry.name, entry.licence) for entry in found if not entry.allowed] == []


def test_models_of_the_default_configuration_are_allowed() -> None:
    found = networks(rules(), CONFIG)
    served = {card.name for card in configured_in(CONFIG)}
    assert {entry.name for entry in found if entry.needed and entry.allowed} == served > {"mtcnn"}
    assert {entry.name for entry in found if not entry.allowed} == {"arcface-r50", "minifasnet-celeba", "crmnet-trio"}


def test_report_shows_packages_models_and_caveats(capsys: pytest.CaptureFixture[str]) -> None:
    main(CONFIG)
    printed = capsys.readouterr().out
    assert {"ray", "pillow", "arcface-r50"} < {line.split()[0] for line in printed.splitlines() if line.split()}
    text = " ".join(printed.split())
    assert all(caveat in text for entry in cards().values() for caveat in entry.caveats)


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("production.yaml", "^licences.toml does not allow the licences of: arcface-r50$"),
        ("none.yaml", "configs/none.yaml cannot be read"),
    ],
)
def test_problem_ends_the_program_with_one_sentence(config: str, error: str) -> None:
    with pytest.raises(SystemExit, match=error):
        main(ROOT / "configs" / config)
