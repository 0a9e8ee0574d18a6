"""The client that forwards a gallery's operations."""

from typing import Any

import pytest

from gallery.operations import Answer, Change, GalleryChanges, GalleryClient, GalleryReads, Parameters, Read

pytestmark = pytest.mark.anyio


class Asked(Exception):
    """The hook, operation and arguments of a call."""


class Client(GalleryClient):
    async def read(
        self, operation: Read[Parameters, Answer], /, *args: Parameters.args, **options: Parameters.kwargs
    ) -> Answer:
        raise Asked("read", operation.__name__, args, options)

    async def change(
        self, operation: Change[Parameters, Answer], /, *args: Parameters.args, **options: Parameters.kwargs
    ) -> Answer:
        raise Asked("change", operation.__name__, args, options)


@pytest.mark.parametrize(("hook", "protocol"), [("read", GalleryReads), ("change", GalleryChanges)])
async def test_each_operation_is_forwarded_with_its_arguments(hook: str, protocol: Any) -> None:
    operations = [name for name in vars(protocol) if not name.startswith("_")]
    assert len(operations) == 7
    for operation in operations:
        with pytest.raises(Asked) as asked:
            await getattr(Client(), operation)("staff", more=1)
        assert asked.value.args == (hook, operation, ("staff",), {"more": 1})
