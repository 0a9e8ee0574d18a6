"""A client of /v1 for a test."""

import pytest

from tests.api.v1 import Api, staff


@pytest.fixture
def api() -> Api:
    """A client with an empty collection called staff."""
    return staff()
