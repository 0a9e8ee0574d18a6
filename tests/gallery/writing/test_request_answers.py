"""Answers that are kept for repeated requests."""

from typing import Any

import pytest

from gallery.location import Location
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import NAME, folder_of, refusal, stored_bytes, writing

REQUEST = ("token", "digest")


@pytest.mark.usefixtures("early_optimisation")
async def test_an_answer_is_kept_across_merges_and_restarts(location: Location) -> None:
    async with writing(location) as writer:
        assert await writer.earlier_answer(NAME, REQUEST) is None
        await writer.keep_answer(NAME, ("earlier token", "digest"), "earlier")
        await writer.keep_answer(NAME, REQUEST, "answer")
        await writer.optimise()
        [folder] = folder_of(location).glob("answers-*.lance")
        statistics: Any = await (await (await location.connect()).open_table(folder.stem)).stats()
        assert statistics["fragment_stats"]["num_fragments"] == 1
    async with writing(location) as writer:
        assert await writer.earlier_answer(NAME, REQUEST) == "answer"
        assert await writer.earlier_answer(NAME, ("another token", "digest")) is None
        assert await refusal(writer.earlier_answer(NAME, ("token", "another"))) == "IDEMPOTENCY_KEY_REUSED"


async def test_a_clean_up_erases_answers(writer: Writer, location: Location) -> None:
    # The first clean-up always runs. Later ones need a removal, which a kept answer counts as.
    await writer.clean()
    await writer.keep_answer(NAME, REQUEST, "a-secret-name")
    await writer.clean()
    assert await writer.earlier_answer(NAME, REQUEST) is None
    assert b"a-secret-name" not in stored_bytes(folder_of(location))


async def test_answers_go_with_their_collection(writer: Writer, location: Location) -> None:
    await writer.keep_answer(NAME, REQUEST, "answer")
    await writer.drop(NAME)
    assert list(folder_of(location).glob("answers-*")) == []


async def test_damaged_answers_are_started_again(writer: Writer, location: Location) -> None:
    await writer.keep_answer(NAME, REQUEST, "first")
    for manifest in folder_of(location).glob("answers-*/_versions/*.manifest"):
        manifest.write_bytes(b"")
    assert await writer.earlier_answer(NAME, REQUEST) is None
    for answer in ("lost", "second"):
        await writer.keep_answer(NAME, REQUEST, answer)
    assert await writer.earlier_answer(NAME, REQUEST) == "second"
