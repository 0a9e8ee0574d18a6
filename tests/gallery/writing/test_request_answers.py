"""Answers that are kept for repeated requests."""

from unittest.mock import AsyncMock

import pytest
from lancedb import AsyncConnection, AsyncTable

from gallery.records import KeptAnswer, Reassignment
from gallery.writing.writer import Writer
from tests.fakes import serve_log
from tests.gallery.sample_gallery import NAME, Storage, enrol, face, refusal, writing

REQUEST = ("token", "digest")


async def test_the_first_answer_is_kept_across_restarts(location: Storage) -> None:
    async with writing(location) as writer:
        assert await writer.earlier_answer(NAME, REQUEST) is None
        await writer.keep_answer(NAME, KeptAnswer(("earlier token", "digest"), "earlier"))
        for answer in ("answer", "a later one"):
            await writer.keep_answer(NAME, KeptAnswer(REQUEST, answer))
    async with writing(location) as writer:
        assert await writer.earlier_answer(NAME, REQUEST) == "answer"
        assert await writer.earlier_answer(NAME, ("another token", "digest")) is None
        assert await refusal(writer.earlier_answer(NAME, ("token", "another"))) == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("files", ["_versions/*.manifest", "data/*.lance"])
async def test_damaged_answers_are_discarded_and_new_ones_are_kept(
    writer: Writer, location: Storage, files: str
) -> None:
    await writer.keep_answer(NAME, KeptAnswer(REQUEST, "first"))
    for file in location.files.glob(f"answers-*/{files}"):
        file.write_bytes(b"")
    assert await writer.earlier_answer(NAME, REQUEST) is None
    await writer.keep_answer(NAME, KeptAnswer(REQUEST, "second"))
    assert await writer.earlier_answer(NAME, REQUEST) == "second"


async def test_answers_survive_an_outage(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    await writer.keep_answer(NAME, KeptAnswer(REQUEST, "answer"))
    failed = AsyncMock(side_effect=RuntimeError("HTTP error"))
    with monkeypatch.context() as patched:
        patched.setattr(AsyncConnection, "open_table", failed)
        assert await refusal(writer.earlier_answer(NAME, REQUEST)) == "UNAVAILABLE"
    with monkeypatch.context() as patched:
        patched.setattr(AsyncTable, "add", failed)
        with serve_log() as log:
            await writer.keep_answer(NAME, KeptAnswer(("other", "digest"), "answer"))
        assert [record.levelname for record in log] == ["WARNING"]
    assert await writer.earlier_answer(NAME, REQUEST) == "answer"


async def test_a_change_with_a_kept_answer_is_made_once(writer: Writer, location: Storage) -> None:
    kept, other = KeptAnswer(REQUEST, "answer"), KeptAnswer(("token", "another"), "answer")
    made = face("anna")
    await enrol(writer, made)
    moves = {made.id: Reassignment("anna", "bob")}
    # This answer is not kept, because the change differs from the expected one.
    await writer.reassign_faces(NAME, {made.id: Reassignment("carl", "bob")}, kept=kept)
    assert await writer.reassign_faces(NAME, moves, kept=kept) == ([made.id], None)
    await writer.reassign_faces(NAME, {made.id: Reassignment("bob", "anna")})
    assert await writer.reassign_faces(NAME, moves, kept=kept) == ([], "answer")
    assert await writer.create_subject(NAME, "dora", "request", kept) == "answer"
    assert list(await location.listed()) == ["anna"]
    for change in (writer.reassign_faces(NAME, moves, kept=other), writer.create_subject(NAME, "dora", "r", other)):
        assert await refusal(change) == "IDEMPOTENCY_KEY_REUSED"
