"""Subject ids that are invisible or look alike."""

import unicodedata
from collections.abc import Iterable, Iterator

from project.request_error import RequestError

_FILLERS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d\u180f"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Invisible letters, marks and symbols: fillers, the empty Braille pattern, and variation selectors."""
_UNSEEN = frozenset({"Cc", "Cf"})
"""Unicode categories of control and format characters, e.g. zero-width and bidirectional ones."""
_BLANK = _UNSEEN | {"Zs", "Zl", "Zp", "Mn", "Me"}
"""These categories, spaces, and combining marks, which need a base letter."""


def refuse_blank(subject: str) -> None:
    """Check that an id to enrol has a visible character. Blank ids enrolled earlier can still be listed and deleted.

    Raises:
        RequestError: ``INVALID_SUBJECT``.
    """
    if all(each in _FILLERS or unicodedata.category(each) in _BLANK for each in subject):
        raise RequestError("INVALID_SUBJECT", "Subject id must contain at least one visible character")


def look_of(subject: str) -> str:
    """Return a key shared by ids that look alike: Unicode's NFKC_Casefold, with runs of spaces collapsed."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", subject).casefold())
    return " ".join("".join(each for each in folded if each.isspace() or not _is_unseen(each)).split())


def look_alikes(subjects: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of an earlier id and a later one that looks like it."""
    first: dict[str, str] = {}
    for subject in subjects:
        if (earlier := first.setdefault(look_of(subject), subject)) != subject:
            yield earlier, subject


def _is_unseen(character: str) -> bool:
    return character in _FILLERS or unicodedata.category(character) in _UNSEEN
