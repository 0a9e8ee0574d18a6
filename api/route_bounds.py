"""Limits on the size and duration of requests, by route."""

import re
from dataclasses import dataclass

from starlette._utils import get_route_path
from starlette.types import Scope


@dataclass(frozen=True, slots=True)
class RouteBounds:
    """Bounds of the requests to a route.

    Attributes:
        imports: whether a body may be as large as an import, and have any number of values.
        timed: whether the request timeout applies to the whole request.
    """

    imports: bool = False
    timed: bool = True


_DEFAULT = RouteBounds()
_EXCEPTIONS = (
    # Committed in parts: the route applies the timeout to each part.
    (re.compile(r"/v1/collections/[^/]+/import"), RouteBounds(imports=True, timed=False)),
    # The time that it takes grows with the gallery.
    (re.compile(r"/v1/gallery/clean"), RouteBounds(timed=False)),
)


def bounds_of(scope: Scope) -> RouteBounds:
    """Return the bounds of a request."""
    path = get_route_path(scope) if scope["method"] == "POST" else ""
    return next((bounds for route, bounds in _EXCEPTIONS if route.fullmatch(path)), _DEFAULT)
