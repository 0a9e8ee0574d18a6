"""The client that forwards a gallery's operations."""

from typing import Any
from unittest.mock import AsyncMock

import pytest

from gallery.operations import GalleryChanges, GalleryClient, GalleryReads


class Client(GalleryClient):
    read, change = AsyncMock(), AsyncMock()


@pytest.mark.anyio
@pytest.mark.parametrize(("hook", "protocol"), [(Client.read, GalleryReads), (Client.change, GalleryChanges)])
async def test_each_operation_is_forwarded_with_its_arguments(hook: AsyncMock, protocol: Any) -> None:
    operations = [name for name in vars(protocol) if not name.startswith("_")]
    assert len(operations) == 7
    for operation in operations:
        assert await getattr(Client(), operation)("staff", more=1) == hook.return_value
        hook.assert_awaited_with(getattr(protocol, operation), "staff", more=1)
