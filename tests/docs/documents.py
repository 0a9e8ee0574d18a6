"""The documents, and what they show."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import PROJECT

DOCUMENTS = (PROJECT / "README.md", PROJECT / "SECURITY.md", *sorted((PROJECT / "docs").glob("*.md")))

_FENCED = re.compile(r"^( *)(`{3,})(\S*).*?\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def name(document: Path) -> str:
    """Its path in the project."""
    return str(document.relative_to(PROJECT))


def shown(document: Path, *languages: str) -> Iterator[str]:
    """The fenced blocks of these languages, run or not; a continued line as one."""
    for _, _, language, code in _FENCED.findall(document.read_text("utf-8")):
        if language in languages:
            yield code.replace("\\\n", " ")


def prose(document: Path) -> str:
    """The text without its fenced blocks."""
    return _FENCED.sub("", document.read_text("utf-8"))


def spans(document: Path) -> list[str]:
    """What stands in backticks within the text."""
    return [" ".join(span.split()) for span in _SPAN.findall(prose(document))]
