"""API keys: what is stored, which keys are valid, and how soon a change takes effect."""

import hashlib
import hmac
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from access import keys as module
from access.keys import RELOAD_PERIOD_S, Key, Keys, KeysError, create, read, revoke
from tests.access import Clock

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
UNKNOWN = f"fg_{'0' * 16}_{'A' * 43}"
ENTRY = {
    "id": "0123456789abcdef",
    "hash": "0" * 64,
    "name": "door",
    "scopes": ["read"],
    "collections": [],
    "created": "2026-01-15T10:30:00Z",
    "expires": None,
}
WRONG = [("more", 1), ("hash", "0"), ("id", "../x"), ("scopes", []), ("scopes", ["root"])]
WRONG += [("expires", "2026-01-15T10:30:00")]
"""Values that make an entry invalid."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "keys.json"


def test_a_key_is_valid_and_only_its_hash_is_stored(file: Path) -> None:
    entry, text = create(file, "the door", ["enrol", "read"], ["staff", "guests", "staff"])
    assert Keys(file).find(text) == entry
    assert (entry.name, entry.scopes, entry.collections) == ("the door", ("read", "enrol"), ("guests", "staff"))
    assert [entry.reaches(name) for name in ("staff", "others")] == [True, False]
    assert create(file, "free", ["read"])[0].reaches("others")
    assert abs(entry.created - datetime.now(UTC)) < timedelta(minutes=1)
    prefix, id, secret = text.split("_", 2)
    assert (prefix, id, len(secret)) == ("fg", entry.id, 43)
    stored = file.read_text("utf-8")
    assert secret not in stored
    assert hashlib.sha256(text.encode()).hexdigest() in stored


def test_other_texts_are_not_valid_keys(file: Path) -> None:
    entry, text = create(file, "door", ["read"])
    _, other = create(file, "other", ["read"])
    keys = Keys(file)
    swapped = f"fg_{entry.id}_{other.split('_', 2)[2]}"
    for wrong in ("", "fg", text[:-1], text + "x", text.upper(), swapped, UNKNOWN, "fg_é", entry.id):
        assert keys.find(wrong) is None, wrong
    assert keys.find(text) == entry


def test_a_hash_is_compared_for_unknown_ids_as_well(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = Mock(return_value=True)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert Keys(file).find(UNKNOWN) is None
    assert Keys(file).find("nonsense") is None
    assert [list(map(len, call.args)) for call in compare.call_args_list] == [[64, 64], [64, 64]]


def test_a_key_expires(file: Path) -> None:
    entry, text = create(file, "door", ["read"], expires=NOW)
    before, after = Keys(file, now=lambda: NOW - timedelta(seconds=1)), Keys(file, now=lambda: NOW)
    assert before.find(text) == before.entry(entry.id) == entry
    assert after.find(text) is after.entry(entry.id) is None


def test_changes_of_the_file_take_effect_within_a_second(file: Path) -> None:
    clock = Clock()
    keys = Keys(file, clock)
    assert keys.find(UNKNOWN) is None
    entry, text = create(file, "door", ["read"])
    clock.seconds += RELOAD_PERIOD_S
    assert keys.find(text) == entry
    assert revoke(file, entry.id) == entry
    other, other_text = create(file, "other", ["read"])
    clock.seconds += 0.9 * RELOAD_PERIOD_S
    assert keys.find(text) == entry
    clock.seconds += 0.2 * RELOAD_PERIOD_S
    assert (keys.find(text), keys.find(other_text)) == (None, other)
    file.unlink()
    clock.seconds += RELOAD_PERIOD_S
    assert keys.find(other_text) is None
    assert RELOAD_PERIOD_S <= 1


def test_the_file_is_read_only_after_a_change(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, counted = Clock(), Mock(side_effect=read)
    _, text = create(file, "door", ["read"])
    monkeypatch.setattr(module, "read", counted)
    keys = Keys(file, clock)
    for _ in range(3):
        assert keys.find(text) is not None
        clock.seconds += 2 * RELOAD_PERIOD_S
    assert counted.call_count == 1
    os.utime(file, ns=(1, 1))
    assert keys.find(text) is not None
    assert counted.call_count == 2


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"keys": [], "more": 1}),
        *(json.dumps({"keys": [ENTRY | {name: value}]}) for name, value in WRONG),
        json.dumps({"keys": [{name: value for name, value in ENTRY.items() if name != "collections"}]}),
    ],
)
def test_no_key_is_valid_while_the_file_is_damaged_and_no_command_overwrites_it(file: Path, content: str) -> None:
    clock = Clock()
    entry, text = create(file, "door", ["read"])
    keys = Keys(file, clock)
    assert keys.find(text) == entry
    intact, where = file.read_bytes(), "the file" if content in ("{", "[]") else r"(keys|more)[\w.]*"
    file.write_text(content, "utf-8")
    clock.seconds += RELOAD_PERIOD_S
    find = partial(keys.find, text)
    for command in (find, find, partial(create, file, "other", ["read"]), partial(revoke, file, entry.id)):
        with pytest.raises(KeysError, match=rf"keys\.json cannot be read: {where}: "):
            command()
    assert file.read_text("utf-8") == content
    file.write_bytes(intact)
    clock.seconds += RELOAD_PERIOD_S
    assert keys.find(text) == entry
    assert Key.model_validate_json(json.dumps(ENTRY)).name == "door"


def test_no_key_is_valid_while_the_file_cannot_be_opened(file: Path) -> None:
    clock = Clock()
    file.mkdir(parents=True)
    keys = Keys(file, clock)
    for _ in range(2):
        with pytest.raises(KeysError, match="Is a directory"):
            keys.find("x")
        clock.seconds += RELOAD_PERIOD_S
    file.rmdir()
    assert keys.find("x") is None


def test_the_files_are_private(file: Path) -> None:
    old = os.umask(0)
    try:
        revoke(file, create(file, "door", ["read"])[0].id)
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {"keys.json": 0o600, "keys.json.lock": 0o600}


def test_a_failed_write_leaves_the_file_unchanged(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(file, "door", ["read"])
    before = file.read_bytes()
    monkeypatch.setattr(os, "replace", Mock(side_effect=OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        create(file, "other", ["read"])
    assert file.read_bytes() == before
    assert {path.name for path in file.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_concurrent_commands_lose_no_key(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        texts = {text for _, text in pool.map(lambda number: create(file, f"key {number}", ["read"]), range(8))}
    assert {key.name for key in read(file)} == {f"key {number}" for number in range(8)}
    assert len(texts) == 8


def test_an_unknown_id_is_not_revoked(file: Path) -> None:
    create(file, "door", ["read"])
    with pytest.raises(KeysError, match="no key with the id abc"):
        revoke(file, "abc")
    assert len(read(file)) == 1
