"""Subjects in memory: any changes of a roster, and how it follows a table. `test_changes` compares it with listings."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from unittest.mock import Mock

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gallery.reading.reader
import gallery.reading.roster
from gallery.location import Location
from gallery.reading.live_roster import LiveRoster
from gallery.reading.reader import Reader
from gallery.reading.roster import Roster, summary
from gallery.records import NewFace, Reassignment, Subject
from gallery.storage.removals import erase_log
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import KIND, NAME, Storage, enrol, face, people

NOW = datetime(2026, 1, 15, tzinfo=UTC)
IDS = st.text(st.sampled_from("ab") | st.characters(codec="utf-8"), min_size=1, max_size=3)
CHANGES = st.lists(st.dictionaries(IDS, st.integers(0, 3), max_size=20), max_size=5)
PATTERNS = st.sampled_from(["", "a", "a.*", "b|a.", "[ab]{2}", "(?s:.*)"])


@given(changes=CHANGES, after=st.just("") | IDS, limit=st.integers(1, 9), skipped=PATTERNS)
def test_any_changes_leave_the_subjects_sorted_and_counted(
    changes: list[dict[str, int]], after: str, limit: int, skipped: str
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gallery.reading.roster, "BLOCK", 3)
        roster, wanted = Roster(), dict[str, int]()
        for change in changes:
            ids = [subject for subject, faces in change.items() for _ in range(faces)]
            faces = summary(pa.table([pa.array(ids, pa.string()), [NOW] * len(ids)], ["subject", "created"]))
            touched = pa.table([pa.array(change, pa.string())], ["subject"])
            assert set(roster.known(touched)["subject"].to_pylist()) == change.keys() & wanted.keys()
            roster = roster.changed(touched.join(faces, "subject"))
            wanted = {subject: count for subject, count in {**wanted, **change}.items() if count}
    assert (roster.subjects, roster.faces) == (len(wanted), sum(wanted.values()))
    rest = [Subject(each, wanted[each], NOW, NOW) for each in sorted(wanted) if each > after]
    assert roster.page(after, limit) == rest[:limit]
    assert roster.page(after, None) == rest
    matching = [each for each in wanted if re.fullmatch(skipped, each)]
    assert roster.matching(skipped) == len(matching)
    kept = [each.id for each in rest if each.id not in matching]
    assert roster.ids(after, limit, skipped) == kept[:limit]


FACES = [face("ada", source="first"), face("ada", source="second"), *people(3)]
Change = Callable[[Writer, Location], Awaitable[object]]


def enrolling(*faces: NewFace, replace: bool = False) -> Change:
    return lambda writer, _: enrol(writer, *faces, replace=replace)


def deleting(*subjects: str) -> Change:
    return lambda writer, _: writer.delete_subjects(NAME, subjects)


async def renaming(writer: Writer, location: Storage) -> None:
    await writer.rename_subject(NAME, "ada", "eve")


async def reassigning(writer: Writer, location: Storage) -> None:
    await writer.reassign_faces(NAME, {FACES[0].id: Reassignment("ada", "eve")})


async def delete_and_clean(writer: Writer, location: Storage) -> None:
    """The log is erased before the reader has seen it."""
    await writer.delete_subjects(NAME, ["ada"])
    await writer.clean()


async def restore(writer: Writer, location: Storage) -> None:
    table = await location.table()
    await table.checkout(await table.version() - 1)
    await table.restore()


@pytest.mark.parametrize(
    ("change", "subjects", "reads"),
    [
        (enrolling(face("bob"), face("ada", source="third")), {"ada": 3, "bob": 1, "late": 1}, 1),
        (enrolling(FACES[1], replace=True), {"ada": 1, "late": 1}, 1),
        (deleting("ada", "late"), {}, 1),
        (renaming, {"eve": 2, "late": 1}, 1),
        (reassigning, {"ada": 1, "eve": 1, "late": 1}, 1),
        (delete_and_clean, {"late": 1}, 2),
        (restore, {"ada": 2}, 2),
    ],
)
async def test_it_reads_all_faces_again_only_if_it_must(
    location: Storage,
    monkeypatch: pytest.MonkeyPatch,
    writer: Writer,
    change: Change,
    subjects: dict[str, int],
    reads: int,
) -> None:
    read = Mock(side_effect=Roster.of)
    monkeypatch.setattr(Roster, "of", read)
    await enrol(writer, *FACES)
    roster = LiveRoster(await location.connect(), (await location.table()).name)
    for subject in ("subject-0", "late"):
        await roster.statistics()
        await enrol(writer, face(subject, source="again"))
    assert (await roster.latest()).subjects == 5
    await change(writer, location)
    wanted = subjects | {"subject-0": 2, "subject-1": 1, "subject-2": 1}
    assert {each.id: each.faces for each in (await roster.latest()).page("", None)} == wanted
    statistics = await roster.statistics()
    assert (statistics.faces, statistics.subjects) == (sum(wanted.values()), len(wanted))
    assert read.call_count == reads


async def test_new_faces_of_many_subjects_do_not_hide_as_many_deletions(
    location: Storage, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    monkeypatch.setattr("gallery.reading.live_roster.MANY", 1)
    await enrol(writer, *people(4))
    roster = LiveRoster(await location.connect(), (await location.table()).name)
    assert (await roster.latest()).subjects == 4
    await enrol(writer, face("subject-0", source="again"), face("subject-1", source="again"))
    await writer.delete_subjects(NAME, ["subject-2", "subject-3"])
    assert {each.id: each.faces for each in (await roster.latest()).page("", None)} == {"subject-0": 2, "subject-1": 2}


async def test_the_time_of_a_deletion_outlasts_the_erasure_of_the_log(location: Storage, writer: Writer) -> None:
    await enrol(writer, *FACES)
    await writer.delete_subjects(NAME, ["ada"])
    table = (await location.table()).name
    before = await LiveRoster(await location.connect(), table).statistics()
    await erase_log(await location.connect(), table)
    after = await LiveRoster(await location.connect(), table).statistics()
    assert before.changed == after.changed


async def test_least_recently_used_rosters_make_room(
    location: Storage, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    read = Mock(side_effect=Roster.of)
    monkeypatch.setattr(Roster, "of", read)
    monkeypatch.setattr(gallery.reading.reader, "ROSTER_BYTES", 300)
    reader = Reader(location, 0)
    # Two rosters of these collections fit.
    for name in "abc":
        await writer.create(name, KIND, None)
        await enrol(writer, *people(3), name=name)
    for name, reads in [("a", 1), ("b", 2), ("a", 2), ("c", 3), ("a", 3), ("b", 4)]:
        assert len(await reader.subjects(name, "", None)) == 3
        assert (name, read.call_count) == (name, reads)
    # Statistics of an unchanged collection need no roster.
    assert (await reader.statistics("c"))[1].subjects == 3
    assert read.call_count == 4
