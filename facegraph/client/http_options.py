"""The service's URL and API key, from arguments or the environment."""

import os
import re
from typing import Any

import httpx

_DEFAULT_URL = "http://localhost:8000"


def http_options(base_url: str | None, api_key: str | None) -> dict[str, Any]:
    """Keyword arguments for `httpx.Client`.

    Args:
        base_url: the service's address; defaults to ``FACEGRAPH_URL``, then to port 8000 of this machine.
        api_key: defaults to ``FACEGRAPH_API_KEY``, then to none.

    Raises:
        ValueError: the URL or the key is malformed. The message quotes neither.
    """
    try:
        address = httpx.URL(base_url or os.environ.get("FACEGRAPH_URL") or _DEFAULT_URL)
    except httpx.InvalidURL:
        raise ValueError("the service's address is not a valid URL") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError("the service's address must look like http://localhost:8000")
    if address.userinfo:
        # httpx logs URLs.
        raise ValueError("the service's address must not contain a user name or a password")
    headers = {"Accept": "application/json", "User-Agent": "facegraph-client"}
    if key := (api_key or os.environ.get("FACEGRAPH_API_KEY", "")).strip():
        if not re.fullmatch("[!-~]+", key):
            # httpx quotes a bad header in its error.
            raise ValueError("the API key contains characters that no key has")
        # httpx hides this header in representations, but not X-API-Key.
        headers["Authorization"] = f"Bearer {key}"
    # Environment proxies are meant for other sites and would see photos and the key. Without trust_env, httpx would
    # also ignore SSL_CERT_FILE and SSL_CERT_DIR, which users need for their own certificate authority.
    return {"base_url": address, "headers": headers, "verify": httpx.create_ssl_context(), "trust_env": False}
