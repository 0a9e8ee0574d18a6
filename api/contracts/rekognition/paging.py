"""Tokens with which clients request the next page of a list."""

import base64

from project.request_error import RequestError


def page_token(last: str) -> str:
    """Return the token of the page that follows the item `last`."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def last_item(token: str | None) -> str:
    """Return the last item of the previous page; an empty string if there is no token.

    Raises:
        RequestError: ``INVALID_PAGE``.
    """
    try:
        return base64.b64decode(token or "", altchars=b"-_", validate=True).decode()
    except ValueError:
        raise invalid_token() from None


def invalid_token() -> RequestError:
    """Return the error for a token that is not from a page of the list."""
    return RequestError("INVALID_PAGE", "NextToken was not returned by this operation")
