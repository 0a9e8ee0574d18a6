"""Where the service is, and who asks."""

import os
import re
from typing import Any

import httpx

_DEFAULT = "http://localhost:8000"


def connection(base_url: str | None, api_key: str | None) -> dict[str, Any]:
    """What `httpx.Client` is made with.

    Args:
        base_url: of the service; ``FACEGRAPH_URL`` without one, or else this machine's port 8000.
        api_key: ``FACEGRAPH_API_KEY`` without one, or else none.

    Raises:
        ValueError: one of them cannot be one. The message has neither.
    """
    given = base_url or os.environ.get("FACEGRAPH_URL") or _DEFAULT
    try:
        address = httpx.URL(given)
    except httpx.InvalidURL:
        raise ValueError("the service's address is no valid one") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError("the service's address must be like http://localhost:8000")
    if address.userinfo:
        # httpx logs addresses.
        raise ValueError("the service's address must not hold a user name or a password")
    headers = {"Accept": "application/json", "User-Agent": "facegraph-client"}
    if key := (api_key or os.environ.get("FACEGRAPH_API_KEY", "")).strip():
        if not re.fullmatch("[!-~]+", key):
            # Errors about headers quote them.
            raise ValueError("the API key has characters that no key has")
        # Of all headers for a key, the one that httpx hides in representations.
        headers["Authorization"] = f"Bearer {key}"
    # The service is one's own: a proxy of the environment is for other sites, and would see photos and key. Authorities
    # that SSL_CERT_FILE or SSL_CERT_DIR name are trusted all the same, such as one's own.
    return {"base_url": address, "headers": headers, "verify": httpx.create_ssl_context(), "trust_env": False}
