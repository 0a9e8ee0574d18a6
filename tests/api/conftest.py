"""What the tests of who may call share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from access import keys
from tests.api.keyed import House


@pytest.fixture
def houses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    """Makes a service with some settings of its own; a key that is made later is known to it at once."""
    monkeypatch.setattr(keys, "LOOK_S", 0.0)

    def make(**args: object) -> House:
        return House(tmp_path, **args)

    return make


@pytest.fixture
def house(houses: Callable[..., House]) -> House:
    """A service that asks for keys."""
    return houses()
