"""What the tests of the models share."""

from collections.abc import Iterator

import pytest

from tests.models.site import Site, served


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as site:
        yield site
