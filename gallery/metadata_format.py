"""The format of a subject's metadata: a JSON object of bounded size, whose content is up to the client."""

import json
from typing import Any

from gallery.records import Metadata
from project.request_error import RequestError

MAX_BYTES = 4096
"""Maximum size of a subject's metadata, as compact JSON in UTF-8."""
MAX_DEPTH = 5
"""Maximum depth of a subject's metadata. An object that contains no objects or arrays has depth 1."""


def encoded(metadata: Metadata) -> str:
    """Return `metadata` as compact JSON.

    Raises:
        RequestError: ``INVALID_METADATA``.
    """
    if not isinstance(metadata, dict):
        raise _invalid("Metadata must be a JSON object")
    if not _fits(metadata, MAX_DEPTH):
        raise _invalid(f"Metadata can have at most {MAX_DEPTH} levels of objects and arrays")
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except ValueError:
        raise _invalid("Metadata can contain only finite numbers and text that UTF-8 can encode") from None
    if size > MAX_BYTES:
        raise _invalid(f"Metadata can have at most {MAX_BYTES} bytes as compact JSON; this has {size}")
    return text


def parsed(text: str) -> Metadata:
    """Read a client's metadata from JSON.

    Raises:
        RequestError: ``INVALID_METADATA``.
    """
    try:
        metadata: Metadata = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _invalid("Metadata must be a JSON object") from None
    encoded(metadata)
    return metadata


def decoded(text: str | None) -> Metadata | None:
    """Return metadata that was stored by `encoded`."""
    return None if text is None else json.loads(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict[str, Any]()
    for key, value in pairs:
        if key in found:
            # Written as JSON, because the error's text must not contain lone surrogates.
            raise _invalid(f"Metadata must not repeat a key: {json.dumps(key[:64])}")
        found[key] = value
    return found


def _fits(value: Any, depth: int) -> bool:
    """Whether `value` has at most `depth` levels of objects and arrays."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is None or (depth > 0 and all(_fits(each, depth - 1) for each in inner))


def _invalid(message: str) -> RequestError:
    return RequestError("INVALID_METADATA", message)
