"""Where faces were found, as text in the table of faces."""

import json

from gallery.records import FacePlace

_DECIMALS = 6


def place_text(place: FacePlace | None) -> str | None:
    """Return the text of a place."""
    if place is None:
        return None
    return json.dumps([place.photo, *(round(number, _DECIMALS) for number in (*place.box, place.score))])


def place_of(text: str | None) -> FacePlace | None:
    """Return the place with this text."""
    if text is None:
        return None
    photo, left, top, width, height, score = json.loads(text)
    return FacePlace(photo, (left, top, width, height), score)
