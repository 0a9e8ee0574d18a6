"""The terminal says where the service can be opened."""

import io
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, Response
from rich.console import Console

from deployments import announcement
from deployments.address import Address
from tests.app_server import serving
from tests.waiting import TIMEOUT_S


@pytest.mark.parametrize(("listening", "shown"), [("0.0.0.0", "localhost"), ("127.0.0.1", "127.0.0.1")])
def test_the_url_is_printed_once_the_service_is_ready(
    monkeypatch: pytest.MonkeyPatch, listening: str, shown: str
) -> None:
    monkeypatch.setattr(announcement, "PERIOD_S", 0.01)
    app, statuses, printed = FastAPI(), iter([503, 503, 200]), io.StringIO()

    @app.get("/readyz")
    def readyz() -> Response:
        assert not printed.getvalue()
        return Response(status_code=next(statuses))

    with serving(app) as url:
        port = urlsplit(url).port
        assert port
        announcement.announce(Address(listening, port), Console(file=printed)).join(TIMEOUT_S)
    assert printed.getvalue().startswith("ready after 0 s: ")
    assert printed.getvalue().endswith(f"open http://{shown}:{port}/ui\n")
