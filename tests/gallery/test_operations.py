"""The client that forwards a gallery's operations."""

from typing import Any
from unittest.mock import AsyncMock

import pytest

from gallery.operations import GalleryChanges, GalleryClient, GalleryReads


class Client(GalleryClient):
    perform = AsyncMock()


@pytest.mark.parametrize(("protocol", "changes"), [(GalleryReads, False), (GalleryChanges, True)])
async def test_each_operation_is_forwarded_with_its_arguments(protocol: Any, changes: bool) -> None:
    operations = [name for name in vars(protocol) if not name.startswith("_")]
    assert operations
    for operation in operations:
        assert await getattr(Client(), operation)("staff", more=1) == Client.perform.return_value
        Client.perform.assert_awaited_with(getattr(protocol, operation), changes, "staff", more=1)
