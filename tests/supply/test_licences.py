"""The licence report: what packages state, what is allowed, and that nothing of this environment is unknown."""

import re
import subprocess
import sys
from email.message import Message

import pytest

from models.catalogue import cards
from supply.licences import NONE, Rules, networks, packages, rules, stated
from tests.conftest import PROJECT

RULES = Rules(
    allowed=frozenset({"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"}),
    allowed_for={"GPL-2.0-only": ("one",), "Closed": ("nvidia-*",)},
    read={},
    spelt={"MIT License": "MIT", "Apache Software License": "Apache-2.0"},
)


def run(config: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "supply.licences", "--config", config]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)


def locked() -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", (PROJECT / "requirements.lock").read_text("utf-8"), re.MULTILINE))


def about(**headers: str) -> Message:
    made = Message()
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    return made


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ({"License_Expression": "MIT AND Zlib", "License": "other"}, "MIT AND Zlib"),
        ({"License": "MIT License", "Classifier": "License :: OSI Approved :: BSD License"}, "MIT"),
        ({"License": "Home-made"}, "Home-made"),
        (
            {"License": "All\nof it", "Classifier": "License :: OSI Approved :: Apache Software License"},
            "Apache-2.0",
        ),
        ({"Classifier": "Operating System :: POSIX"}, NONE),
    ],
)
def test_what_a_package_states(headers: dict[str, str], licence: str) -> None:
    assert stated(about(**headers), RULES) == licence


def test_a_package_may_be_classified_twice() -> None:
    made = about(Classifier="License :: OSI Approved :: MIT License")
    made["Classifier"] = "License :: Other/Proprietary License"
    assert stated(made, RULES) == "MIT AND Other/Proprietary License"


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
def test_what_is_allowed(name: str, licence: str, allowed: bool) -> None:
    assert RULES.allow(name, licence) is allowed


def test_every_package_of_this_environment_is_known_and_allowed() -> None:
    found = {entry.name: entry for entry in packages(rules())}
    assert {"ray", "torch", "pillow", "facegraph"} < found.keys()
    assert len(found.keys() & locked()) > 100
    assert [(entry.name, entry.licence) for entry in found.values() if not entry.allowed] == []


def test_the_models_that_the_default_configuration_serves_are_allowed() -> None:
    found = networks(rules(), PROJECT / "configs" / "serve.yaml")
    served = {entry.name for entry in found if entry.needed}
    assert served == {"mtcnn", "mediapipe-full-range", "centerface", "fr-liveness", "mobilefacenet", "facenet"}
    assert all(entry.allowed for entry in found if entry.needed)
    assert {entry.name for entry in found if not entry.allowed} == {"arcface-r50", "minifasnet-celeba", "crmnet-trio"}


def test_the_report_shows_every_package_and_model() -> None:
    ran = run("configs/serve.yaml")
    assert (ran.returncode, ran.stderr) == (0, "")
    first_words = {line.split()[0] for line in ran.stdout.splitlines() if line.split()}
    # In another process: where Ray was imported, copies of packages that it brings are found, too.
    code = "from supply.licences import packages, rules; print(*(entry.name for entry in packages(rules())))"
    listed = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert len(listed.stdout.split()) > 100
    assert first_words > set(listed.stdout.split())
    assert "arcface-r50" in first_words
    said = " ".join(ran.stdout.split())
    assert all(caveat in said for entry in cards().values() for caveat in entry.caveats)


def test_a_model_that_is_not_allowed_cannot_be_served_unnoticed() -> None:
    ran = run("configs/production.yaml")
    assert ran.returncode == 1
    assert ran.stderr == "licences that licences.toml does not allow: arcface-r50\n"


def test_a_configuration_that_is_not_there_is_one_sentence() -> None:
    ran = run("configs/none.yaml")
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "configs/none.yaml cannot be read" in ran.stderr
