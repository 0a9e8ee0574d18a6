"""Both clients over a connection, with real photos, networks and a real gallery."""

import uuid

import httpx
import pytest

from facegraph.client import NoAnswerError, NotFoundError
from tests.facegraph.client import BOTH, Asker


@BOTH
def test_a_person_is_verified_enrolled_found_and_deleted(
    service: httpx.Client, blocking: bool, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    ask = Asker(blocking, base_url=str(service.base_url))
    assert ask.verify(mindy, mindy_again).match
    assert not ask.verify(mindy, jerry, liveness="report").match
    [face] = ask.embed(mindy, crops=True).faces
    assert face.crop.png.startswith(b"\x89PNG")
    staff = uuid.uuid4().hex
    ask.put_collection(staff)
    told = ask.enrol_many(staff, [("mindy/kaling", mindy), ("jerry", jerry), ("nobody", b"no photo")])
    assert [photo.status for photo in told] == ["enrolled", "enrolled", "refused"]
    [found] = ask.search(staff, mindy_again).faces
    assert [candidate.subject for candidate in found.candidates] == ["mindy/kaling"]
    assert [subject.id for subject in ask.subjects(staff)] == ["jerry", "mindy/kaling"]
    assert ask.delete_subject(staff, "mindy/kaling") == 1
    assert ask.search(staff, mindy_again).faces[0].candidates == ()
    with pytest.raises(NotFoundError):
        ask.delete_subject(staff, "mindy/kaling")
    assert ask.delete_collection(staff, with_faces=True) is None
    assert {stage.kind for stage in ask.status().stages} == {"detector", "liveness", "embedder", "gallery", "ingress"}
    assert ask.health().status == "healthy"


@BOTH
def test_nobody_there_is_told(blocking: bool, lone_port: int) -> None:
    address = f"http://127.0.0.1:{lone_port}"
    ask = Asker(blocking, base_url=address, retries=1)
    with pytest.raises(NoAnswerError, match=address):
        ask.models()
