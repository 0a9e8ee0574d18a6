"""Subjects' ids as people see them: which show nothing, and which look alike."""

import unicodedata
from collections.abc import Iterable, Iterator

from imaging.refused import Refused

_FILLERS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d\u180f"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Letters, marks and signs that show nothing: fillers, the empty Braille pattern, and selectors of variants."""
_UNSEEN = frozenset({"Cc", "Cf"})
"""Categories of control and format characters: zero-width ones, and those that turn the direction of writing."""
_BLANK = _UNSEEN | {"Zs", "Zl", "Zp", "Mn", "Me"}
"""The same with spaces, and with marks, which need a letter to stand on."""


def refuse_blank(subject: str) -> None:
    """Check that somebody can be enrolled under an id: it needs a character that shows.

    Ids that are there already can still be found and deleted, whatever they are.

    Raises:
        Refused: ``INVALID_SUBJECT``.
    """
    if all(each in _FILLERS or unicodedata.category(each) in _BLANK for each in subject):
        raise Refused("INVALID_SUBJECT", "A subject's id has at least one visible character")


def look_of(subject: str) -> str:
    """What ids that look alike have in common: letters without their case, their width and their way of composition.

    Unicode's NFKC_Casefold, with spaces as one and none around.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", subject).casefold())
    return " ".join("".join(each for each in folded if each.isspace() or not _is_unseen(each)).split())


def look_alikes(subjects: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each id that looks like an earlier one, as that one and itself."""
    first: dict[str, str] = {}
    for subject in subjects:
        if (earlier := first.setdefault(look_of(subject), subject)) != subject:
            yield earlier, subject


def _is_unseen(character: str) -> bool:
    return character in _FILLERS or unicodedata.category(character) in _UNSEEN
