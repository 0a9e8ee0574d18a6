"""Where the service is and who asks: arguments, the environment, and a key that is shown to nobody."""

import logging
from pathlib import Path

import certifi
import httpx
import pytest

from facegraph.client import AsyncClient, Client, NoAnswerError
from facegraph.client.http_options import http_options
from tests.facegraph.client import Asker, Script

KEY = "fg_0123456789abcdef_secret"
EMPTY: dict[str, list[str]] = {"collections": []}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEGRAPH_URL", raising=False)
    monkeypatch.delenv("FACEGRAPH_API_KEY", raising=False)


def asked(base_url: str | None = None, api_key: str | None = None) -> httpx.Request:
    """The request that a client makes."""
    script = Script(httpx.Response(200, json=EMPTY))
    Asker(True, script.transports(), base_url=base_url, api_key=api_key).collections()
    return script.requests[0]


def test_arguments_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(asked().url) == "http://localhost:8000/v1/collections"
    assert "Authorization" not in asked().headers
    monkeypatch.setenv("FACEGRAPH_URL", "https://faces.example/behind/")
    monkeypatch.setenv("FACEGRAPH_API_KEY", f"{KEY}\n")
    assert str(asked().url) == "https://faces.example/behind/v1/collections"
    assert asked().headers["Authorization"] == f"Bearer {KEY}"
    assert str(asked("http://10.0.0.1:80").url) == "http://10.0.0.1/v1/collections"
    assert asked(api_key="fg_other").headers["Authorization"] == "Bearer fg_other"


def test_an_authority_of_the_environment_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    end = "-----END CERTIFICATE-----\n"
    (tmp_path / "own.pem").write_text(Path(certifi.where()).read_text("utf-8").partition(end)[0] + end)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    trusted = http_options("https://faces.example", None)["verify"]
    assert trusted.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://faces.example", "http://", "http://x:port", "/v1"])
def test_an_address_that_cannot_be_one_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(address)


@pytest.mark.parametrize("address", ["http://ada:secret@faces.example", "http://secret@faces.example"])
def test_an_address_that_would_be_logged_with_its_password_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="password") as raised:
        Client(address)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", [f"{KEY}\nX: y", f"{KEY} {KEY}", f"{KEY}é"])
def test_a_key_that_cannot_be_one_is_refused_unsaid(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as raised:
        AsyncClient(api_key=key)
    assert KEY not in str(raised.value)


def test_the_key_is_shown_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script = Script(httpx.Response(200, json=EMPTY), httpx.ConnectError("refused"))
    client = Client(api_key=KEY, retries=0, transport=httpx.MockTransport(script))
    client.collections()
    with pytest.raises(NoAnswerError) as raised:
        client.collections()
    shown = [repr(client), repr(AsyncClient(api_key=KEY)), repr(raised.value), caplog.text, repr(script.requests)]
    assert caplog.text
    assert all(KEY not in text for text in shown)
    assert repr(raised.value.__cause__) == "ConnectError('refused')"
