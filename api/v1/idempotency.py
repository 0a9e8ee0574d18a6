"""The header Idempotency-Key of enrolments."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Repeating a request with the same key has no further effect; see Enrolling twice.",
    ),
]


def identified_request(key: str | None, sent: Sequence[str]) -> tuple[str, str] | None:
    """Return the idempotency key with a digest of the request; None without a key."""
    return None if key is None else (key, hashlib.sha256(json.dumps(sent).encode()).hexdigest())
