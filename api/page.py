"""The web UI at /ui: public files that call the API as any other client does."""

from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import ui

FILES = Path(ui.__file__).with_name("static")

PATHS = frozenset({"/ui", "/ui/", *(f"/ui/{file.relative_to(FILES)}" for file in FILES.rglob("*") if file.is_file())})
"""Paths of the web UI's files."""

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        # blob: for chosen photos, data: for crops in responses.
        "img-src 'self' blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
"""The web UI's Content-Security-Policy: nothing from other origins, no inline script or style, no text as markup."""


class _Files(StaticFiles):
    """The web UI's files, without Starlette's redirects to folders, which trust the request's ``Host``."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file, or index.html at the folder's own path."""
        # `path` is normalised: /ui// would serve the page with broken relative links.
        if scope["path"] not in PATHS:
            raise HTTPException(404)
        return await super().get_response("index.html" if path == "." else path, scope)


def install(app: FastAPI) -> None:
    """Serve the web UI from `app`."""

    @app.get("/ui", include_in_schema=False)
    async def get_ui() -> RedirectResponse:
        # Relative: a proxy may serve the page below another path.
        return RedirectResponse("ui/")

    app.mount("/ui", _Files(directory=FILES))
