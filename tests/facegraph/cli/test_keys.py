"""`facegraph keys`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from access.key_encryption import KeyCipher, access_key_id
from access.keys import Keys, create, read
from tests.facegraph.cli import Run


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file."""
    path = tmp_path / "keys.json"
    monkeypatch.setenv("KEYS_FILE", str(path))
    return path


def test_a_key_is_created_and_only_the_key_is_on_stdout(run: Run, file: Path) -> None:
    status, out, err = run("keys", "create", "the door", "--scope", "read", "--scope", "enrol", "--collection", "staff")
    [key] = read(file)
    assert status == 0
    assert (key.name, key.scopes, key.collections, key.expires) == ("the door", ("read", "enrol"), ("staff",), None)
    assert Keys(file).find(out.removesuffix("\n")) == key
    assert (key.id in err, out.strip() in err) == (True, False)


def test_a_key_can_expire(run: Run, file: Path) -> None:
    hours = {"12h": 12, "90d": 90 * 24, "2w": 14 * 24}
    for text in hours:
        run("keys", "create", "door", "--scope", "read", "--expires", text)
    left = [(key.expires or key.created) - datetime.now(UTC) for key in read(file)]
    assert [round(each / timedelta(hours=1)) for each in left] == list(hours.values())


def test_keys_are_listed_without_their_secrets(run: Run, file: Path) -> None:
    key, text = create(file, "[bold]door\x1b[2J", ["read", "delete"], ["staff", "guests"])
    create(file, "old", ["admin"], expires=datetime(2020, 1, 2, 3, 4, tzinfo=UTC))
    out = run("keys", "list")[1]
    first, second = out.splitlines()[1:]
    assert all(word in first for word in (key.id, "[bold]door\\x1b[2J", "read, delete", "guests, staff", "never"))
    assert all(word in second for word in ("old", "admin", "all", "2020-01-02 03:04 UTC"))
    as_json = run("keys", "list", "--json")[1]
    listed = json.loads(as_json)
    assert (listed[0]["scopes"], listed[1]["expires"]) == (["read", "delete"], "2020-01-02T03:04:00Z")
    assert not any(secret in out + as_json for secret in ("\x1b", text, key.hash))


def test_a_key_is_revoked(run: Run, file: Path) -> None:
    key, text = create(file, "door", ["read"])
    assert run("keys", "revoke", key.id)[:2] == (0, f"revoked {key.id} of door\n")
    assert Keys(file).find(text) is None
    assert run("keys", "revoke", key.id) == (1, "", f"error there is no key with the id {key.id}\n")


def test_a_key_of_an_aws_client_is_printed_as_credentials_and_stored_encrypted(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("botocore")
    assert run("keys", "create", "aws", "--scope", "read", "--aws")[0] == 2
    monkeypatch.setenv("REKOGNITION_KEY_FILE", str(tmp_path / "operator.key"))
    status, out, _ = run("keys", "create", "aws", "--scope", "read", "--aws")
    [key] = read(file)
    text = KeyCipher(tmp_path / "operator.key").decrypt(key)
    assert status == 0
    assert out == f"aws_access_key_id = {access_key_id(key.id)}\naws_secret_access_key = {text}\n"
    run("keys", "create", "another", "--scope", "read", "--aws")
    assert KeyCipher(tmp_path / "operator.key").decrypt(key) == text
    listed = run("keys", "list", "--json")[1]
    assert key.encrypted
    assert key.encrypted not in listed
