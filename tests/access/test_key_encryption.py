"""Keys that are stored encrypted."""

import base64
import stat
from pathlib import Path

import pytest

from access.key_encryption import KeyCipher, access_key_id, create_operator_key, key_id_of
from access.keys import Key, Keys, KeysError, create

pytest.importorskip("cryptography")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The operator's key."""
    path = tmp_path / "operator.key"
    create_operator_key(path)
    return path


def test_a_key_is_stored_encrypted_and_is_also_an_ordinary_key(file: Path, tmp_path: Path) -> None:
    path, cipher = tmp_path / "keys.json", KeyCipher(file)
    entry, text = create(path, "aws", ["read"], encrypt=cipher.encrypt)
    assert text not in path.read_text("utf-8")
    stored = Keys(path).entry(entry.id)
    assert stored == Keys(path).find(text) == entry
    assert KeyCipher(file).decrypt(entry) == text
    assert cipher.encrypt(entry.id, text) != entry.encrypted
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_of_another_id_or_operator_is_not_decrypted(file: Path, tmp_path: Path) -> None:
    entry, _ = create(tmp_path / "keys.json", "aws", ["read"], encrypt=KeyCipher(file).encrypt)
    create_operator_key(tmp_path / "other.key")
    renamed = Key.model_validate({**entry.model_dump(), "id": "0" * 16})
    for key, operator in ((entry, tmp_path / "other.key"), (renamed, file)):
        with pytest.raises(KeysError, match="cannot be decrypted"):
            KeyCipher(operator).decrypt(key)


def test_an_operators_key_that_is_another_file_or_missing_is_refused(file: Path) -> None:
    for content in (b"", b"not base64", b"-" + base64.b64encode(bytes(32)), base64.b64encode(bytes(31))):
        file.write_bytes(content)
        with pytest.raises(KeysError, match="must contain 32 bytes in base64"):
            KeyCipher(file)
    file.unlink()
    with pytest.raises(KeysError, match="No such file"):
        KeyCipher(file)


def test_an_access_key_id_stands_for_a_keys_id() -> None:
    id = "0123456789abcdef"
    assert access_key_id(id) == "FGAK0123456789ABCDEF"
    assert key_id_of(access_key_id(id)) == id
    assert key_id_of("AKIA0123456789ABCDEF") is key_id_of(access_key_id(id) + "0") is None
