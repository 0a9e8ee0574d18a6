"""The clients: their address and key, calls to the real app in this process, retries, and their methods."""

import inspect
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest

from api.app import create_app
from facegraph.client import AsyncClient, Client, Collection, NoAnswerError, Subject, SubjectEmbedding, clients
from facegraph.client.http_options import http_options
from tests.facegraph.client import ADDRESS, in_process
from tests.fakes import People, service

PHOTOS = [(f"person-{number % 3}", f"anna-{number}".encode()) for number in range(70)]
# The last request contains only refused photos, which the service reports as an error.
PHOTOS[5], PHOTOS[64:] = ("x", b"broken"), [("faceless", b"faceless")] * 6
REFUSED = [5, *range(64, 70)]


def test_outcomes_of_several_requests_are_in_order() -> None:
    client = in_process()
    outcomes = list(client.enrol_many("staff", PHOTOS))
    assert [each.photo for each in outcomes] == list(range(70))
    assert [each.subject for each in outcomes] == [subject for subject, _ in PHOTOS]
    assert [n for n, each in enumerate(outcomes) if each.status == "refused"] == REFUSED
    assert [each.status for each in client.enrol_many("staff", PHOTOS[:1])] == ["already"]


def test_embeddings_are_enrolled_and_found() -> None:
    client = in_process()
    [bob] = client.embed(b"bob").faces
    client.enrol_embeddings("staff", [SubjectEmbedding("bob", bob.embedding, label="from afar")])
    [face] = client.search("staff", b"bob-again").faces
    assert client.search_embedding("staff", bob.embedding).candidates == face.candidates
    assert [each.subject for each in face.candidates] == ["bob"]
    assert client.delete_face("staff", face.candidates[0].face_id) == 1


async def test_the_async_client_awaits_and_iterates() -> None:
    transport = httpx.ASGITransport(create_app(service(People().stages())))
    async with AsyncClient(ADDRESS, transport=transport) as client:
        await client.put_collection("staff")
        outcomes = [each async for each in client.enrol_many("staff", PHOTOS)]
        assert [n for n, each in enumerate(outcomes) if each.status == "refused"] == REFUSED
        assert [each.id async for each in client.subjects("staff")] == ["person-0", "person-1", "person-2"]


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_failed_request_is_sent_again_after_the_delay(blocking: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = [httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(200, json={"collections": []})]
    waits: list[float] = []

    def respond(request: httpx.Request) -> httpx.Response:
        if not waits:
            raise httpx.ConnectError("refused")
        return outcomes.pop(0)

    async def async_sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(clients, "sleep", waits.append)
    monkeypatch.setattr(clients, "async_sleep", async_sleep)
    made = (Client if blocking else AsyncClient)(ADDRESS, transport=httpx.MockTransport(respond))
    found: Any = made.collections()
    assert (found if blocking else await found) == ()
    assert waits == [pytest.approx(0.125, abs=0.125), pytest.approx(7.25, abs=0.25)]


def test_both_clients_have_the_same_documented_methods_with_their_results() -> None:
    def public(client: type[Any]) -> dict[str, Any]:
        methods = {name: method for name, method in vars(client).items() if not name.startswith("_")}
        return {name: list(inspect.signature(method).parameters) for name, method in methods.items()}

    assert public(Client) == public(AsyncClient)
    assert all(inspect.getdoc(getattr(Client, name)) for name in public(Client))
    assert list(inspect.signature(Client().subjects).parameters) == ["collection", "after", "metadata"]
    assert inspect.signature(Client.subjects).return_annotation == Iterator[Subject]
    assert inspect.signature(AsyncClient.subjects).return_annotation == AsyncIterator[Subject]
    assert inspect.signature(Client.collections).return_annotation == tuple[Collection, ...]


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
