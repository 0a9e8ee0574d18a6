"""The service's address and API key: arguments, environment variables, and a key that no text shows."""

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


def test_the_environment_names_certificates_but_no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    end = "-----END CERTIFICATE-----\n"
    (tmp_path / "own.pem").write_text(Path(certifi.where()).read_text("utf-8").partition(end)[0] + end)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    options = http_options(None, None)
    assert (options["verify"].cert_store_stats()["x509_ca"], options["trust_env"]) == (1, False)


def test_malformed_values_are_refused_without_quoting_them() -> None:
    wrong = ("secret:8000", "ftp://secret", "http://", "http://secret:port", "http://ada:secret@x", "http://secret@x")
    cases = [(address, None, "the service's address") for address in wrong]
    for address, key, message in (*cases, *((None, KEY + more, "the API key") for more in ("\nX: y", f" {KEY}", "é"))):
        with pytest.raises(ValueError, match=message) as raised:
            http_options(address, key)
        assert "secret" not in str(raised.value)


def test_the_key_is_not_in_logs_errors_or_representations(caplog: pytest.LogCaptureFixture) -> None:
    requests = list[httpx.Request]()

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if len(requests) == 2:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"collections": []})

    caplog.set_level(logging.DEBUG)
    client = Client(api_key=KEY, retries=0, transport=httpx.MockTransport(respond))
    client.collections()
    with pytest.raises(NoAnswerError) as raised:
        client.collections()
    assert requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert caplog.text
    for shown in (client, AsyncClient(api_key=KEY), raised.value, requests, caplog.text):
        assert KEY not in repr(shown)
