"""Keys of AWS clients. A signature can only be checked with the key itself, so the key is also stored encrypted.

The cipher is AES-256-GCM. The encryption key, called the operator's key, is in a separate file.
"""

import base64
import binascii
import os
import re
import secrets
from pathlib import Path

from access.keys import Key, KeysError
from project.files import atomic

_ACCESS_KEY_ID = re.compile(r"FGAK([0-9A-F]{16})")
_NONCE_BYTES = 12
_KEY_BYTES = 32


def access_key_id(key_id: str) -> str:
    """Return the AWS access key id of the key with this id: 20 letters and digits."""
    return f"FGAK{key_id.upper()}"


def key_id_of(access_key_id: str) -> str | None:
    """Return the id of the key with this AWS access key id; None if no key can have it."""
    form = _ACCESS_KEY_ID.fullmatch(access_key_id)
    return form[1].lower() if form else None


class KeyCipher:
    """Encrypts keys. The ciphertext is bound to the key's id, so the entries of two keys cannot be swapped.

    Args:
        path: file with the operator's key, 32 bytes in base64.

    Raises:
        KeysError: the file cannot be read or does not contain such a key.
    """

    def __init__(self, path: Path) -> None:
        # Imported here, because the package is an optional dependency.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            content = base64.b64decode(path.read_bytes().strip(), validate=True)
        except OSError as error:
            raise KeysError(f"the operator's key in {path} cannot be read: {error.strerror}") from error
        except binascii.Error:
            content = b""
        if len(content) != _KEY_BYTES:
            raise KeysError(f"{path} must contain {_KEY_BYTES} bytes in base64")
        self._cipher = AESGCM(content)

    def encrypt(self, key_id: str, text: str) -> str:
        """Encrypt `text`, the key with this id, and return it in base64."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), key_id.encode())).decode()

    def decrypt(self, key: Key) -> str:
        """Return the text of a key that was stored encrypted.

        Raises:
            KeysError: it was encrypted with a different operator's key, or its entry was changed.
        """
        from cryptography.exceptions import InvalidTag

        assert key.encrypted is not None
        sealed = base64.b64decode(key.encrypted)
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key.id.encode()).decode()
        except InvalidTag:
            raise KeysError(
                f"the key {key.id} cannot be decrypted: the operator's key or the entry in the key file was changed"
            ) from None


def create_operator_key(path: Path) -> None:
    """Write a new operator's key to a file that only its owner can read."""
    with atomic(path) as unfinished:
        unfinished.touch(0o600)
        unfinished.write_bytes(base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
