"""Every method against the real app in this process: of the blocking client, and the longest way of both."""

import inspect
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from facegraph.client import (
    AsyncClient,
    Box,
    Client,
    Collection,
    ConflictError,
    Embedding,
    Face,
    InvalidRequestError,
    NotFoundError,
    RefusedPhotoError,
    Subject,
    SubjectEmbedding,
)
from tests.facegraph.client import BOTH, Asker


@pytest.fixture
def staff(app: Asker) -> Asker:
    """The app with an empty collection called staff."""
    app.put_collection("staff")
    return app


def test_a_photos_faces_are_told(app: Asker) -> None:
    found = app.detect(b"anna bob-spoof", liveness="report", max_faces=2)
    assert (found.photo.width, found.photo.height, found.models.liveness) == (640, 480, "liveness-model")
    assert [face.liveness.live for face in found.faces] == [True, False]
    assert found.faces[0].box == Box(left=30, top=30, width=80, height=90)
    assert found.faces[0].landmarks.nose == (60, 72)
    assert len(app.detect(b"anna bob", max_faces=1).faces) == 1


def test_embeddings_compare_as_their_photos_verify(app: Asker) -> None:
    [anna] = app.embed(b"anna").faces
    [anne] = app.embed(b"anne", embedder="arcface").faces
    compared = app.compare(anna.embedding, anne.embedding, metric="euclidean", threshold=0.5)
    verified = app.verify(b"anna", b"anne", metric="euclidean", threshold=0.5)
    assert compared.match is verified.match is True
    assert compared.value == pytest.approx(verified.value)
    assert (verified.metric, verified.threshold.source) == ("euclidean", "request")
    assert [type(face) for face in verified.faces] == [Face, Face]
    assert not app.verify(b"anna", b"bob").match


def test_crops_come_as_png_files(app: Asker) -> None:
    [face] = app.embed(b"anna", crops=True).faces
    assert face.crop.side == 4
    assert face.crop.png.startswith(b"\x89PNG")
    assert app.embed(b"anna").faces[0].crop is None


def test_the_service_tells_of_itself(app: Asker) -> None:
    networks = app.models()
    assert networks.embedders["facenet"].embedding_dimensions == 3
    assert networks.detectors["mtcnn"].embedding_contract is None
    health = app.health()
    assert (health.status, health.models["arcface"], health.database_connected) == ("healthy", True, True)


def test_a_collection_is_made_changed_and_deleted(app: Asker) -> None:
    made = app.put_collection("staff", embedder="facenet", threshold=0.3)
    assert (made.name, made.embedder, made.threshold) == ("staff", "facenet", 0.3)
    kept = app.put_collection("staff")
    assert (kept.embedder, kept.threshold) == ("facenet", 0.3)
    assert app.put_collection("staff", threshold=None).threshold is None
    assert [each.name for each in app.collections()] == ["staff"]
    told = app.collection("staff")
    assert (told.faces, told.subjects, told.embedding_dimensions) == (0, 0, 3)
    assert (datetime.now(UTC) - told.created).total_seconds() < 60
    assert app.delete_collection("staff") is None
    assert app.collections() == ()
    with pytest.raises(NotFoundError):
        app.collection("staff")


def test_a_collection_with_faces_is_not_deleted_by_mistake(staff: Asker) -> None:
    staff.enrol("staff", "anna", b"anna")
    with pytest.raises(ConflictError, match="COLLECTION_NOT_EMPTY"):
        staff.delete_collection("staff")
    staff.delete_collection("staff", with_faces=True)
    assert staff.collections() == ()


@BOTH
def test_who_is_enrolled_is_found_until_deleted(staff: Asker) -> None:
    enrolled = staff.enrol("staff", "anna", b"anna", b"nobody")
    assert (enrolled.enrolled, enrolled.refused) == (1, 1)
    assert [photo.status for photo in enrolled.photos] == ["enrolled", "refused"]
    assert [each.id for each in staff.subjects("staff")] == ["anna"]
    assert enrolled.photos[1].error.code == "NO_FACE_DETECTED"
    assert staff.enrol("staff", "anna", b"anna").already == 1
    [face] = staff.search("staff", b"anna-again", top_k=3, threshold=0.5).faces
    [candidate] = face.candidates
    assert (candidate.subject, candidate.face_id) == ("anna", enrolled.photos[0].face_id)
    assert candidate.similarity == pytest.approx(1)
    assert staff.delete_subject("staff", "anna") == 1
    assert staff.search("staff", b"anna").faces[0].candidates == ()
    assert staff.clean().keys() == {"staff"}


def test_a_photo_of_no_use_is_told_with_its_reason(staff: Asker) -> None:
    with pytest.raises(RefusedPhotoError, match="FACE_TOO_DARK") as raised:
        staff.enrol("staff", "anna", b"anna-dark")
    assert raised.value.details["photos"][0]["status"] == "refused"
    enrolled = staff.enrol("staff", "anna", b"anna-dark", quality="report")
    assert [reason.code for reason in enrolled.photos[0].reasons] == ["FACE_TOO_DARK"]


def test_a_new_photo_can_replace_the_others(staff: Asker) -> None:
    staff.enrol("staff", "anna", b"anna", b"anna-2")
    staff.enrol("staff", "anna", b"anna-3", replace=True)
    assert len(staff.subject("staff", "anna").faces) == 1


def test_embeddings_are_enrolled_and_searched(staff: Asker) -> None:
    anna = staff.embed(b"anna").faces[0].embedding
    bob = Embedding(contract=anna.contract, values=(0, 1))
    entries = [SubjectEmbedding("anna", anna, label="from afar"), SubjectEmbedding("bob", bob)]
    enrolled = staff.enrol_embeddings("staff", entries)
    assert (enrolled.enrolled, [face.status for face in enrolled.faces]) == (2, ["enrolled"] * 2)
    assert staff.subject("staff", "anna").faces[0].label == "from afar"
    found = staff.search_embedding("staff", anna, top_k=1)
    assert [each.subject for each in found.candidates] == ["anna"]
    assert found.threshold.source == "card"
    with pytest.raises(ValueError, match="2 contracts"):
        staff.enrol_embeddings("staff", [entries[0], SubjectEmbedding("c", Embedding(contract="other", values=(1,)))])


def test_any_text_is_a_subject(staff: Asker) -> None:
    for subject in ("a/b", "%2F", "..", ".", "é\n", "?x=1#y", "delete", "a b+c"):
        staff.enrol("staff", subject, b"anna")
        told = staff.subject("staff", subject)
        assert (told.id, len(told.faces)) == (subject, 1)
        assert staff.delete_subject("staff", subject) == 1
        with pytest.raises(NotFoundError, match="SUBJECT_NOT_FOUND"):
            staff.delete_subject("staff", subject)


def test_subjects_are_deleted_together_and_faces_alone(staff: Asker) -> None:
    for subject in ("anna", "bob", "carl"):
        staff.enrol("staff", subject, subject.encode())
    face = staff.subject("staff", "carl").faces[0].face_id
    assert staff.delete_face("staff", face) == 1
    assert staff.delete_subjects("staff", ["anna", "bob", "nobody"]) == 2
    assert staff.subjects("staff") == []
    with pytest.raises(NotFoundError, match="FACE_NOT_FOUND"):
        staff.delete_face("staff", face)


def test_what_cannot_be_asked_is_told(staff: Asker) -> None:
    with pytest.raises(InvalidRequestError, match="UNKNOWN_DETECTOR"):
        staff.detect(b"anna", detector="yolo")
    with pytest.raises(InvalidRequestError, match=r"INVALID_REQUEST: .*threshold"):
        staff.verify(b"anna", b"bob", threshold=7)
    with pytest.raises(InvalidRequestError, match="INVALID_SUBJECT"):
        staff.enrol("staff", "a" * 513, b"anna")
    with pytest.raises(ValueError, match="empty"):
        staff.delete_subject("staff", "")
    with pytest.raises(ValueError, match="no photo"):
        staff.enrol("staff", "anna")


def test_both_clients_have_the_same_methods() -> None:
    def public(client: type[Any]) -> dict[str, Any]:
        methods = {name: method for name, method in vars(client).items() if not name.startswith("_")}
        return {name: list(inspect.signature(method).parameters) for name, method in methods.items()}

    assert public(Client) == public(AsyncClient)
    assert all(inspect.getdoc(getattr(Client, name)) for name in public(Client))


def test_a_methods_signature_is_what_its_caller_sees() -> None:
    listing = inspect.signature(Client().subjects)
    assert (list(listing.parameters), listing.return_annotation) == (["collection", "after"], Iterator[Subject])
    assert inspect.signature(AsyncClient.subjects).return_annotation == AsyncIterator[Subject]
    assert inspect.signature(Client.collections).return_annotation == tuple[Collection, ...]
