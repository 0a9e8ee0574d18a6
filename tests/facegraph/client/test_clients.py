"""Both clients against the real app in this process, and the signatures of their methods."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from facegraph.client import AsyncClient, Client, Collection, Embedding, NotFoundError, Subject, SubjectEmbedding
from tests.facegraph.client import BOTH, EitherClient, InProcess
from tests.fakes import People, service


def client_of_the_app(blocking: bool) -> EitherClient:
    """The real app, for which photos are words; see `tests.fakes.People`."""
    app = create_app(service(People().stages()))
    return EitherClient(blocking, InProcess(app) if blocking else httpx.ASGITransport(app))


@BOTH
def test_people_are_enrolled_found_and_deleted(blocking: bool) -> None:
    client = client_of_the_app(blocking)
    client.put_collection("staff", threshold=0.3)
    photos = [(f"person-{number % 3}", f"anna-{number}".encode()) for number in range(70)]
    # The last request contains only refused photos, which the service reports as an error.
    photos[5], photos[64:] = ("x", b"broken"), [("nobody", b"nobody")] * 6
    outcomes = client.enrol_many("staff", photos)
    assert [each.photo for each in outcomes] == list(range(70))
    assert [each.subject for each in outcomes] == [subject for subject, _ in photos]
    assert [n for n, each in enumerate(outcomes) if each.status == "refused"] == [5, *range(64, 70)]
    assert [each.status for each in client.enrol_many("staff", photos[:1])] == ["already"]
    assert client.enrol("staff", "bob", b"bob", b"nobody").refused == 1
    bob = Embedding(contract=client.collection("staff").embedding_contract, values=(0, 1))
    client.enrol_embeddings("staff", [SubjectEmbedding("bob", bob, label="from afar")])
    assert sorted(face.label for face in client.subject("staff", "bob").faces) == ["from afar", "photo"]
    [face] = client.search("staff", b"bob-again").faces
    assert [(each.subject, each.similarity) for each in face.candidates] == [("bob", pytest.approx(1))]
    assert client.search_embedding("staff", bob).candidates == face.candidates
    assert client.delete_face("staff", face.candidates[0].face_id) == 1
    assert client.delete_subject("staff", "bob") == 1
    assert client.delete_subjects("staff", ["person-0", "person-1", "unknown"]) == 43
    assert [subject.id for subject in client.subjects("staff")] == ["person-2"]
    assert client.clean().keys() == {"staff"}
    assert client.delete_collection("staff", with_faces=True) is None
    assert client.collections() == ()


def test_photos_are_compared_like_their_embeddings() -> None:
    client = client_of_the_app(True)
    [anna] = client.embed(b"anna", crops=True).faces
    assert anna.crop.png.startswith(b"\x89PNG")
    [anne] = client.embed(b"anne").faces
    compared = client.compare(anna.embedding, anne.embedding)
    verified = client.verify(b"anna", b"anne")
    assert (compared.match, compared.value) == (verified.match, pytest.approx(verified.value))


@pytest.mark.parametrize("subject", [".", "..", "a/b", "%2F", "é\n", "?x=1#y", "delete"])
def test_a_subject_is_deleted_whatever_its_id(subject: str) -> None:
    client = client_of_the_app(True)
    client.put_collection("staff")
    client.enrol("staff", subject, b"anna")
    assert client.subject("staff", subject).id == subject
    assert client.delete_subject("staff", subject) == 1
    with pytest.raises(NotFoundError, match="SUBJECT_NOT_FOUND"):
        client.delete_subject("staff", subject)


@BOTH
def test_a_failed_request_is_sent_again_after_the_delay(blocking: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    responses = [httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(200, json={"collections": []})]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def respond(request: httpx.Request) -> httpx.Response:
        if len(waits) < 1:
            raise httpx.ConnectError("refused")
        return responses[len(waits) - 1]

    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert EitherClient(blocking, httpx.MockTransport(respond)).collections() == ()
    assert waits == [pytest.approx(0.125, abs=0.125), pytest.approx(7.25, abs=0.25)]


def test_both_clients_have_the_same_documented_methods() -> None:
    def public(client: type[Any]) -> dict[str, Any]:
        methods = {name: method for name, method in vars(client).items() if not name.startswith("_")}
        return {name: list(inspect.signature(method).parameters) for name, method in methods.items()}

    assert public(Client) == public(AsyncClient)
    assert all(inspect.getdoc(getattr(Client, name)) for name in public(Client))


def test_a_methods_signature_has_its_result() -> None:
    assert list(inspect.signature(Client().subjects).parameters) == ["collection", "after"]
    assert inspect.signature(Client.subjects).return_annotation == Iterator[Subject]
    assert inspect.signature(AsyncClient.subjects).return_annotation == AsyncIterator[Subject]
    assert inspect.signature(Client.collections).return_annotation == tuple[Collection, ...]
