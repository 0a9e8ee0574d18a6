"""API keys: what is kept of them, who is recognised, and how soon a change is seen."""

import hashlib
import hmac
import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access import keys as module
from access.keys import LOOK_S, Keys, KeysError, create, read, revoke

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "below" / "keys.json"


def entry(**changed: Any) -> dict[str, Any]:
    whole = {
        "id": "0123456789abcdef",
        "hash": "0" * 64,
        "name": "door",
        "scopes": ["read"],
        "collections": [],
        "created": "2026-01-15T10:30:00Z",
        "expires": None,
    }
    return {**whole, **changed}


def test_a_key_is_recognised_and_only_its_hash_is_kept(file: Path) -> None:
    made, text = create(file, "the door", ["enrol", "read"], ["staff", "guests", "staff"])
    assert Keys(file).find(text) == made
    assert (made.name, made.scopes, made.collections) == ("the door", ("read", "enrol"), ("guests", "staff"))
    prefix, id, secret = text.split("_", 2)
    assert (prefix, id) == ("fg", made.id)
    assert len(secret) == 43
    kept = file.read_text("utf-8")
    assert secret not in kept
    assert hashlib.sha256(text.encode()).hexdigest() in kept


def test_no_two_keys_are_the_same(file: Path) -> None:
    texts = {create(file, "door", ["read"])[1] for _ in range(5)}
    assert len(texts) == 5
    assert [key.name for key in read(file)] == ["door"] * 5
    found = Keys(file)
    assert all(found.find(text) is not None for text in texts)


def test_what_is_no_key_is_nobodys(file: Path) -> None:
    made, text = create(file, "door", ["read"])
    other = create(file, "other", ["read"])[1]
    keys = Keys(file)
    swapped = f"fg_{made.id}_{other.split('_', 2)[2]}"
    for wrong in (
        "",
        "fg",
        text[:-1],
        text + "x",
        text.upper(),
        swapped,
        text.replace(made.id, "0" * 16),
        "fg_é",
        made.id,
    ):
        assert keys.find(wrong) is None, wrong
    assert keys.find(text) == made


def test_an_unknown_id_is_compared_as_well(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = create(file, "door", ["read"])
    compared = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys = Keys(file)
    keys.find(text)
    keys.find("fg_" + "0" * 16 + "_" + "A" * 43)
    keys.find("nonsense")
    assert [len(one) == len(other) == 64 for one, other in compared] == [True] * 3


def test_an_unknown_key_is_not_let_in_by_the_hash_that_stands_for_none(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: True)
    assert Keys(file).find("fg_" + "0" * 16 + "_" + "A" * 43) is None


def test_an_expired_key_is_nobodys(file: Path) -> None:
    made, text = create(file, "door", ["read"], expires=NOW)
    assert Keys(file, now=lambda: NOW - timedelta(seconds=1)).find(text) == made
    assert Keys(file, now=lambda: NOW).find(text) is None


def test_a_revoked_key_is_refused_a_second_later_and_a_new_one_known(file: Path) -> None:
    clock = Clock()
    made, text = create(file, "door", ["read"])
    keys = Keys(file, clock)
    assert keys.find(text) == made
    assert revoke(file, made.id) == made
    other, other_text = create(file, "other", ["read"])
    clock.seconds += 0.9 * LOOK_S
    assert keys.find(text) == made
    clock.seconds += 0.2 * LOOK_S
    assert keys.find(text) is None
    assert keys.find(other_text) == other
    assert LOOK_S <= 1


def test_the_file_is_read_only_when_it_has_changed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, count = Clock(), []
    _, text = create(file, "door", ["read"])

    def counted(path: Path) -> Any:
        count.append(path)
        return read(path)

    monkeypatch.setattr(module, "read", counted)
    keys = Keys(file, clock)
    for _ in range(5):
        assert keys.find(text) is not None
        clock.seconds += 2 * LOOK_S
    assert len(count) == 1
    os.utime(file, ns=(1, 1))
    assert keys.find(text) is not None
    assert len(count) == 2


def test_a_file_that_is_not_there_yet_has_nobody(file: Path) -> None:
    clock = Clock()
    keys = Keys(file, clock)
    assert keys.find("fg_" + "0" * 16 + "_" + "A" * 43) is None
    made, text = create(file, "door", ["read"])
    clock.seconds += LOOK_S
    assert keys.find(text) == made
    file.unlink()
    clock.seconds += LOOK_S
    assert keys.find(text) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"keys": {}}',
        json.dumps({"keys": [], "more": 1}),
        json.dumps({"keys": [entry(hash="0")]}),
        json.dumps({"keys": [entry(id="../x")]}),
        json.dumps({"keys": [entry(scopes=[])]}),
        json.dumps({"keys": [entry(scopes=["root"])]}),
        json.dumps({"keys": [entry(expires="2026-01-15T10:30:00")]}),
        json.dumps({"keys": [{name: value for name, value in entry().items() if name != "collections"}]}),
    ],
)
def test_a_damaged_file_lets_nobody_in_and_no_command_overwrites_it(file: Path, content: str) -> None:
    clock = Clock()
    made, text = create(file, "door", ["read"])
    keys = Keys(file, clock)
    assert keys.find(text) is not None
    whole = file.read_bytes()
    file.write_text(content, "utf-8")
    clock.seconds += LOOK_S
    for _ in range(2):
        with pytest.raises(KeysError, match="cannot be read"):
            keys.find(text)
    for command in (lambda: create(file, "other", ["read"]), lambda: revoke(file, made.id)):
        with pytest.raises(KeysError, match="cannot be read"):
            command()
    assert file.read_text("utf-8") == content
    file.write_bytes(whole)
    clock.seconds += LOOK_S
    assert keys.find(text) is not None


def test_a_file_that_cannot_be_opened_lets_nobody_in_until_it_can(file: Path) -> None:
    clock = Clock()
    file.mkdir(parents=True)
    keys = Keys(file, clock)
    for _ in range(2):
        with pytest.raises(KeysError, match="Is a directory"):
            keys.find("x")
        clock.seconds += LOOK_S
    file.rmdir()
    assert keys.find("x") is None


def test_a_whole_entry_is_one() -> None:
    """Of which the damaged ones above differ in one thing each."""
    assert module.Key.model_validate_json(json.dumps(entry())).name == "door"


def test_the_file_is_the_owners_alone(file: Path) -> None:
    old = os.umask(0)
    try:
        made, _ = create(file, "door", ["read"])
        create(file, "other", ["read"])
        revoke(file, made.id)
    finally:
        os.umask(old)
    for path in file.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert {path.name for path in file.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_a_write_that_fails_leaves_the_file_and_nothing_else(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(file, "door", ["read"])
    whole = file.read_bytes()

    def fail(*paths: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        create(file, "other", ["read"])
    assert file.read_bytes() == whole
    assert {path.name for path in file.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_commands_at_once_lose_no_key(file: Path) -> None:
    threads = [threading.Thread(target=create, args=(file, f"key {number}", ["read"])) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in read(file)} == {f"key {number}" for number in range(8)}


def test_an_unknown_id_is_not_revoked(file: Path) -> None:
    create(file, "door", ["read"])
    with pytest.raises(KeysError, match="no key with the id abc"):
        revoke(file, "abc")
    assert len(read(file)) == 1


def test_a_key_without_collections_reaches_all(file: Path) -> None:
    free, _ = create(file, "free", ["read"])
    bound, _ = create(file, "bound", ["read"], ["staff"])
    assert free.reaches("anything")
    assert bound.reaches("staff")
    assert not bound.reaches("guests")
