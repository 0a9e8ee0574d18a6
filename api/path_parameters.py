"""Path parameters that Starlette's convertors do not cover."""

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor


class _TextConvertor(Convertor[str]):
    """The rest of the path, including line breaks, at which Starlette's ``path`` stops: it reads ``a%0A`` as ``a``."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _TextConvertor())
SubjectId = Annotated[str, Path(description="Any text of 1 to 512 characters, including slashes and line breaks.")]
"""For ``{subject:text}`` at the end of a path."""
