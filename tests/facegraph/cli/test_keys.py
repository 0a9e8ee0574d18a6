"""`facegraph keys`: what an operator types, and what they read."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from access.keys import Keys, create, read
from access.settings import AccessArgs
from facegraph.cli import keys
from tests.facegraph.cli.typing import Run


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the keys are."""
    path = tmp_path / "keys.json"
    monkeypatch.setenv("KEYS_FILE", str(path))
    return path


def test_a_key_is_made_and_printed_alone(run: Run, file: Path) -> None:
    status, out, err = run("keys", "create", "the door", "--scope", "read", "--scope", "enrol", "--collection", "staff")
    assert status == 0
    [key] = read(file)
    assert (key.name, key.scopes, key.collections, key.expires) == ("the door", ("read", "enrol"), ("staff",), None)
    assert Keys(file).find(out.removesuffix("\n")) == key
    assert key.id in err
    assert out.strip() not in err


@pytest.mark.parametrize(
    ("text", "lasts"), [("12h", timedelta(hours=12)), ("90d", timedelta(90)), ("2w", timedelta(14))]
)
def test_a_key_can_expire(run: Run, file: Path, text: str, lasts: timedelta) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert run("keys", "create", "door", "--scope", "read", "--expires", text)[0] == 0
    [key] = read(file)
    assert key.expires is not None
    assert before + lasts <= key.expires <= datetime.now(UTC) + lasts


@pytest.mark.parametrize(
    "words",
    [
        ("create", "door"),
        ("create", "--scope", "read"),
        ("create", "door", "--scope", "root"),
        ("create", "door", "--scope", "read", "--expires", "tomorrow"),
        ("create", "door", "--scope", "read", "--expires", "0d"),
        ("create", "door", "--scope", "read", "--expires", "-1d"),
    ],
)
def test_what_makes_no_sense_makes_no_key(run: Run, file: Path, words: tuple[str, ...]) -> None:
    status, out, err = run("keys", *words)
    assert status == 2
    assert out == ""
    assert err
    assert not file.exists()


def test_keys_are_listed_without_what_they_are(run: Run, file: Path) -> None:
    _, text = create(file, "[bold]door\x1b[2J", ["read", "delete"], ["staff", "guests"])
    create(file, "old", ["admin"], expires=datetime(2020, 1, 2, 3, 4, tzinfo=UTC))
    status, out, _ = run("keys", "list")
    assert status == 0
    first, second = out.splitlines()[1:]
    for word in (read(file)[0].id, "[bold]door\\x1b[2J", "read, delete", "guests, staff", "never"):
        assert word in first
    for word in ("old", "admin", "all", "2020-01-02 03:04 UTC"):
        assert word in second
    assert "\x1b[2J" not in out
    assert text not in out
    assert read(file)[0].hash not in out


def test_a_key_is_revoked(run: Run, file: Path) -> None:
    key, text = create(file, "door", ["read"])
    status, out, _ = run("keys", "revoke", key.id)
    assert status == 0
    assert key.id in out
    assert Keys(file).find(text) is None


def test_a_key_that_is_not_there_is_said_in_a_sentence(run: Run) -> None:
    status, out, err = run("keys", "revoke", "nobody")
    assert (status, out) == (1, "")
    assert err == "error there is no key with the id nobody\n"


@pytest.mark.parametrize("words", [("list",), ("create", "door", "--scope", "read"), ("revoke", "x")])
def test_a_damaged_file_is_said_in_a_sentence_and_left_alone(run: Run, file: Path, words: tuple[str, ...]) -> None:
    file.write_text("{", "utf-8")
    status, out, err = run("keys", *words)
    assert (status, out) == (1, "")
    assert err.startswith(f"error the keys in {file} cannot be read: ")
    assert file.read_text("utf-8") == "{"


def test_keys_are_listed_for_a_program(run: Run, file: Path) -> None:
    key, _ = create(file, "door", ["read"], ["staff"])
    status, out, _ = run("keys", "list", "--json")
    created = key.created.isoformat().replace("+00:00", "Z")
    listed = {"id": key.id, "name": "door", "scopes": ["read"], "collections": ["staff"]}
    assert (status, json.loads(out)) == (0, [{**listed, "created": created, "expires": None}])


def test_its_file_is_the_services() -> None:
    assert AccessArgs.model_fields["keys_file"].default == keys.DEFAULT_FILE
