"""API keys: creating, revoking and verifying them.

A key has the form ``fg_ID_SECRET``. Only its SHA-256 is stored; with 256 random bits in the secret, no salt is needed.
Keys for AWS clients are also stored encrypted: see `access.key_encryption`.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from project.files import atomic

Scope = Literal["read", "enrol", "delete", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

RELOAD_PERIOD_S = 1.0
"""Time between checks of the file for changes, in seconds."""

_FORM = re.compile(r"fg_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_NO_HASH = "0" * 64


class KeysError(Exception):
    """The key file cannot be read, or contains no key with the given id."""


class Key(BaseModel):
    """The stored entry of a key. Without collections, it applies to all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern="^[0-9a-f]{16}$")
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    name: str
    scopes: tuple[Scope, ...] = Field(min_length=1)
    # No default: an entry whose collections were lost must not apply to all of them.
    collections: tuple[str, ...]
    created: AwareDatetime
    expires: AwareDatetime | None = None
    # The encrypted key; only for keys of AWS clients.
    encrypted: str | None = None

    def reaches(self, collection: str) -> bool:
        """Whether the key may access a collection."""
        return not self.collections or collection in self.collections


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[Key, ...]


class Keys:
    """Verifies keys against a file, which is read again when it has changed.

    Args:
        path: path of the file.
        clock: monotonic time in seconds; decides when to check the file again.
        now: current time; decides whether a key has expired.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._clock = clock
        self._now = now
        self._next_check = float("-inf")
        self._state: object = ...
        self._known: dict[str, Key] = {}

    def find(self, presented: str) -> Key | None:
        """Return the entry of the key that a caller presents, or None if it is unknown, revoked or expired.

        Raises:
            KeysError: the file cannot be read, so no key can be verified.
        """
        form = _FORM.fullmatch(presented)
        key = self.entry(form[1] if form else "")
        # Compare for unknown ids as well, so that the response time does not reveal which ids exist.
        same = hmac.compare_digest(_digest(presented), key.hash if key else _NO_HASH)
        return key if same else None

    def entry(self, id: str) -> Key | None:
        """Return the entry of the key with this id, or None if it is unknown, revoked or expired.

        This does not verify the secret: the client must prove that it has the key, for example by a signature.

        Raises:
            KeysError: the file cannot be read, so no key can be verified.
        """
        key = self._current().get(id)
        is_expired = key is not None and key.expires is not None and key.expires <= self._now()
        return None if is_expired else key

    def _current(self) -> dict[str, Key]:
        if (now := self._clock()) >= self._next_check:
            # Get the state before reading the file, so that a change in between is noticed next time.
            state = _state(self._path)
            if state != self._state:
                # If this fails, the next call reads the file again.
                self._known = {key.id: key for key in read(self._path)}
                self._state = state
            self._next_check = now + RELOAD_PERIOD_S
        return self._known


def read(path: Path) -> tuple[Key, ...]:
    """Return the entries of a key file, oldest first. A missing file has none.

    Raises:
        KeysError: the file cannot be read or is damaged.
    """
    try:
        return _File.model_validate_json(path.read_bytes()).keys
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeysError(f"the keys in {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise KeysError(f"the keys in {path} cannot be read: {place}: {problem['msg']}") from None


def create(
    path: Path,
    name: str,
    scopes: Sequence[Scope],
    collections: Sequence[str] = (),
    expires: datetime | None = None,
    encrypt: Callable[[str, str], str] | None = None,
) -> tuple[Key, str]:
    """Add a key to the file, and create the file if necessary.

    Args:
        encrypt: encrypts the key of an AWS client for storing, given its id and text.

    Returns:
        The entry and the key itself, which is not stored anywhere unless `encrypt` is given.

    Raises:
        KeysError: the file cannot be read.
    """
    id = secrets.token_hex(8)
    text = f"fg_{id}_{secrets.token_urlsafe(32)}"
    key = Key(
        id=id,
        hash=_digest(text),
        name=name,
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        collections=tuple(sorted(set(collections))),
        created=datetime.now(UTC).replace(microsecond=0),
        expires=expires,
        encrypted=encrypt(id, text) if encrypt else None,
    )
    with _locked(path):
        _write(path, (*read(path), key))
    return key, text


def revoke(path: Path, id: str) -> Key:
    """Remove a key from the file. The service rejects it after at most `RELOAD_PERIOD_S`.

    Raises:
        KeysError: there is no key with this id, or the file cannot be read.
    """
    with _locked(path):
        keys = read(path)
        found = next((key for key in keys if key.id == id), None)
        if found is None:
            raise KeysError(f"there is no key with the id {id}")
        _write(path, [key for key in keys if key.id != id])
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock the key file against other commands. The lock is a separate file, because the key file is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _write(path: Path, keys: Sequence[Key]) -> None:
    with atomic(path) as unfinished:
        # Created with this mode, so other users can never read it.
        unfinished.touch(0o600)
        unfinished.write_text(_File(keys=tuple(keys)).model_dump_json(indent=1) + "\n", "utf-8")
