"""The project's documents and their contents."""

import re
from collections.abc import Iterator
from pathlib import Path

from project.root import ROOT

DOCUMENTS = (ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md")))

FENCED = re.compile(r"^( *)(`{3,})(\w*) *(\S*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
"""A fenced block: indent, fence, language, path of the file in which to save the text, text."""

_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def name(document: Path) -> str:
    """Path within the project."""
    return str(document.relative_to(ROOT))


def shown(document: Path, *languages: str) -> Iterator[str]:
    """The fenced blocks of these languages, with continued lines joined."""
    for _, _, language, _, code in FENCED.findall(document.read_text("utf-8")):
        if language in languages:
            yield code.replace("\\\n", " ")


def prose(document: Path) -> str:
    """The text without fenced blocks."""
    return FENCED.sub("", document.read_text("utf-8"))


def spans(document: Path) -> list[str]:
    """The texts in backticks outside of fenced blocks."""
    return [" ".join(span.split()) for span in _SPAN.findall(prose(document))]
