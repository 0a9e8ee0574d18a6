"""What stands in addresses, where Starlette's own parts of paths do not do."""

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor


class _Text(Convertor[str]):
    """The rest of an address, whatever it is. Starlette's ``path`` has no line breaks: it takes ``a%0A`` for ``a``."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _Text())
SubjectId = Annotated[str, Path(description="Any text of 1 to 512 characters, slashes and line breaks included.")]
"""As ``{subject:text}`` at the end of an address."""
