"""The page at /ui: files that anybody may load, and that ask for everything else as any other client does."""

from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import ui

FILES = Path(ui.__file__).with_name("static")

PATHS = frozenset({"/ui", "/ui/", *(f"/ui/{file.relative_to(FILES)}" for file in FILES.rglob("*") if file.is_file())})
"""Of the page and each of its files."""

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        # blob: the photos that were chosen; data: the crops of an answer.
        "img-src 'self' blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
"""Its Content-Security-Policy: nothing of another origin, no script or style in the markup, no text as markup."""


class _Files(StaticFiles):
    """The page's files, without Starlette's redirects to folders, which are made of the request's ``Host``."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file; the page itself at the folder's own address."""
        # `path` is normalised: /ui// would serve the page, whose relative addresses then lead nowhere.
        if scope["path"] not in PATHS:
            raise HTTPException(404)
        return await super().get_response("index.html" if path == "." else path, scope)


def install(app: FastAPI) -> None:
    """Let `app` serve the page."""

    @app.get("/ui", include_in_schema=False)
    async def get_ui() -> RedirectResponse:
        # Relative: behind a proxy the service may lie below another address.
        return RedirectResponse("ui/")

    app.mount("/ui", _Files(directory=FILES))
