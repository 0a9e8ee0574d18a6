"""The OpenAPI document of the whole app. `python -m tests.api.openapi` writes it to `SNAPSHOT`."""

import json
from pathlib import Path
from typing import Any

from tests.fakes import client

SNAPSHOT = Path(__file__).with_suffix(".json")


def document() -> Any:
    """The document that the app returns, without its version."""
    response = client().get("/openapi.json")
    assert response.status_code == 200
    found = response.json()
    del found["info"]["version"]
    return found


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
