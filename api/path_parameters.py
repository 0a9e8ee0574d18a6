"""Path parameters that Starlette's convertors do not cover."""

from typing import Annotated

from fastapi import Path
from starlette.convertors import PathConvertor, register_url_convertor


class _TextConvertor(PathConvertor):
    """Matches the rest of the path, including line breaks. Starlette's ``path`` reads ``a%0A`` as ``a``."""

    regex = "(?s:.*)"


register_url_convertor("text", _TextConvertor())
SubjectId = Annotated[str, Path(description="Any text of 1 to 512 characters, including slashes and line breaks.")]
"""For ``{subject:text}`` at the end of a path."""
