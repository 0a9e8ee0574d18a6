"""Errors as they are counted."""

import re

LENGTH = 200
_REQUEST_ID = re.compile(r"[0-9a-f]{32}")


def countable(text: str) -> str:
    """The beginning of an error's text, without the request's id, which would make every error one of its own."""
    return _REQUEST_ID.sub("...", text)[:LENGTH]
