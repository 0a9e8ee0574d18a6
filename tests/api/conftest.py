"""Services with keys."""

from collections.abc import Callable
from pathlib import Path

import pytest

from access import keys
from tests.api.keyed import House


@pytest.fixture
def houses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    """Make a service with the given access settings. It sees a new key at once."""
    monkeypatch.setattr(keys, "RELOAD_PERIOD_S", 0.0)

    def make(**args: object) -> House:
        return House(tmp_path, **args)

    return make


@pytest.fixture
def house(houses: Callable[..., House]) -> House:
    """A service that requires keys."""
    return houses()
