"""Services with keys."""

from collections.abc import Callable
from pathlib import Path

import pytest

from access import keys
from tests.api.keyed import KeyedService


@pytest.fixture
def make_keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., KeyedService]:
    """Make a service with the given access settings. It sees a new key at once."""
    monkeypatch.setattr(keys, "RELOAD_PERIOD_S", 0.0)

    def make(**args: object) -> KeyedService:
        return KeyedService(tmp_path, **args)

    return make


@pytest.fixture
def keyed(make_keyed: Callable[..., KeyedService]) -> KeyedService:
    """A service that requires keys."""
    return make_keyed()
