"""The service's address and API key: arguments, environment variables, and a key that never shows up in a text."""

import logging
from pathlib import Path

import certifi
import httpx
import pytest

from facegraph.client import AsyncClient, Client, NoAnswerError
from facegraph.client.http_options import http_options

KEY = "fg_0123456789abcdef_secret"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEGRAPH_URL", raising=False)
    monkeypatch.delenv("FACEGRAPH_API_KEY", raising=False)


def given(base_url: str | None = None, api_key: str | None = None) -> tuple[str, str | None]:
    """The address and the Authorization header."""
    options = http_options(base_url, api_key)
    return str(options["base_url"]), options["headers"].get("Authorization")


def test_arguments_override_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert given() == ("http://localhost:8000", None)
    monkeypatch.setenv("FACEGRAPH_URL", "https://faces.example/behind/")
    monkeypatch.setenv("FACEGRAPH_API_KEY", f"{KEY}\n")
    assert given() == ("https://faces.example/behind/", f"Bearer {KEY}")
    assert given("http://10.0.0.1", "fg_other") == ("http://10.0.0.1", "Bearer fg_other")


def test_only_authorities_of_the_environment_are_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    end = "-----END CERTIFICATE-----\n"
    (tmp_path / "own.pem").write_text(Path(certifi.where()).read_text("utf-8").partition(end)[0] + end)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    options = http_options(None, None)
    assert options["verify"].cert_store_stats()["x509_ca"] == 1
    assert options["trust_env"] is False


@pytest.mark.parametrize(
    "address",
    ["secret:8000", "ftp://secret", "http://", "http://secret:port", "http://ada:secret@x", "http://secret@x"],
)
def test_a_malformed_address_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(ValueError, match="the service's address") as raised:
        http_options(address, None)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", [f"{KEY}\nX: y", f"{KEY} {KEY}", f"{KEY}é"])
def test_a_malformed_key_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as raised:
        http_options(None, key)
    assert KEY not in str(raised.value)


def test_the_key_is_not_in_logs_errors_or_representations(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    requests = list[httpx.Request]()

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if len(requests) == 2:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"collections": []})

    client = Client(api_key=KEY, retries=0, transport=httpx.MockTransport(respond))
    client.collections()
    with pytest.raises(NoAnswerError) as raised:
        client.collections()
    texts = [repr(client), repr(AsyncClient(api_key=KEY)), repr(raised.value), caplog.text, repr(requests)]
    assert requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert caplog.text
    assert all(KEY not in text for text in texts)
