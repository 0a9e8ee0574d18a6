"""Any sequence of changes, compared with a dictionary of the faces that should be enrolled.

A change makes one commit; a request that changes nothing makes none.
"""

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gallery.reading import roster
from gallery.reading.reader import Reader
from gallery.records import NewFace, Subject, subject_key
from gallery.subject_ids import look_of
from gallery.unit_vectors import normalised
from gallery.writing import maintainer, maintenance
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import (
    KIND,
    NAME,
    SIZE,
    Storage,
    best,
    brute_force,
    enrol,
    face,
    refusal,
    search,
    stored_bytes,
    vectors,
)

Answer = TypeVar("Answer")

# Characters with a meaning in SQL, paths or Unicode are drawn often.
ODD = st.sampled_from([*"'\"`\\%_*;-()/.\0\n\r\t ", "''", "--", "\u2028", "\u202e", "e\u0301", "\u00e9", "\U0001f600"])
TEXTS = st.lists(ODD | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).map("".join).filter(look_of)
ONE = st.integers(0, 5)
FACES = st.tuples(ONE, st.sampled_from(["first", "second"]))
KEYS = st.sampled_from([None, "it's", "k"])


class Changes(RuleBasedStateMachine):
    """Keeps the enrolled faces by id, the requests that enrolled them, and all faces ever sent."""

    @initialize(subjects=st.lists(TEXTS, min_size=6, max_size=6, unique=True))
    def start(self, subjects: list[str]) -> None:
        self.patched = pytest.MonkeyPatch()
        for module, name, value in (
            (maintainer, "FEW_COMMITS", 2),
            (maintenance, "KEYED_ROWS", 4),
            (maintenance, "SCATTERED_ROWS", 4),
            (roster, "BLOCK", 2),
        ):
            self.patched.setattr(module, name, value)
        self.subjects = subjects
        self.faces: dict[str, NewFace] = {}
        self.requests: dict[str, tuple[str, str] | None] = {}
        self.sent: list[NewFace] = []
        self.metadata: dict[str, dict[str, int]] = {}
        self.vectors = iter(vectors(1000))
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.location = Storage(self.folder.name)
        self.writer = self.run(Writer.open(self.location))
        self.collection = self.run(self.writer.create(NAME, KIND, None))
        self.readers = [Reader(self.location, 8), Reader(self.location, 0)]
        self.mirror = self.run(self.location.mirror())

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return self.loop.run(work)

    def teardown(self) -> None:
        self.patched.undo()
        self.run(self.writer.close())
        self.loop.close()
        self.folder.cleanup()

    @rule(picked=st.lists(FACES, min_size=1, max_size=5), replacing=st.booleans(), key=KEYS)
    def enrol(self, picked: list[tuple[int, str]], replacing: bool, key: str | None) -> None:
        faces = [face(self.subjects[subject], next(self.vectors), source) for subject, source in picked]
        self.sent += faces
        request = (key, repr((picked, replacing))) if key else None
        batch: dict[str, NewFace] = {}
        before = self.run(self.location.versions())
        used = {known[1] for known in self.requests.values() if known and known[0] == key}
        sent = self.writer.enrol(NAME, KIND.contract, faces, replace=replacing, request=request)
        if request and used - {request[1]}:
            assert self.run(refusal(sent)) == "IDEMPOTENCY_KEY_REUSED"
        elif request and used:
            assert [each.status for each in self.run(sent)] == [self.known(each) or "deleted" for each in faces]
        else:
            first = {each.id: number for number, each in reversed(list(enumerate(faces)))}
            new = ["enrolled" if number == first[each.id] else "already" for number, each in enumerate(faces)]
            known = [self.known(each) for each in faces]
            if replacing:
                known = ["already" if each == "already" else None for each in known]
            wanted = [each or status for each, status in zip(known, new, strict=True)]
            answers = self.run(sent)
            assert [each.status for each in answers] == wanted
            for each, answer, status in zip(faces, answers, known, strict=True):
                assert (answer.face_id in self.faces) == (status is not None)
                if replacing or status is None:
                    batch[answer.face_id] = each
            if replacing:
                self.forget({each.subject for each in batch.values()})
            self.faces |= batch
            self.requests |= dict.fromkeys(batch, request)
            assert self.run(enrol(self.writer, *faces)) == [self.known(each) for each in faces]
        assert self.run(self.location.versions()) == before + bool(batch)

    @rule(pick=ONE, number=st.none() | ONE)
    def describe(self, pick: int, number: int | None) -> None:
        subject, metadata = self.subjects[pick], None if number is None else {"n": number}
        change = self.writer.set_metadata(NAME, subject, metadata)
        if subject not in {each.subject for each in self.faces.values()}:
            assert self.run(refusal(change)) == "SUBJECT_NOT_FOUND"
            return
        self.run(change)
        self.metadata.pop(subject, None)
        self.metadata |= {subject: metadata} if metadata else {}

    @rule(picked=st.lists(ONE, min_size=2, max_size=3, unique=True))
    def move(self, picked: list[int]) -> None:
        """Rename a subject if the other id is free, or else merge."""
        into, *subjects = [self.subjects[number] for number in picked]
        there = {each.subject for each in self.faces.values()}
        before, merge = self.run(self.location.versions()), into in there or len(subjects) > 1
        if merge:
            change = self.writer.merge_subjects(NAME, subjects, into)
        else:
            change = self.writer.rename_subject(NAME, subjects[0], into)
        if not {*subjects, *([into] if merge else [])} <= there:
            assert self.run(refusal(change)) == "SUBJECT_NOT_FOUND"
            assert self.run(self.location.versions()) == before
            return
        moved = [face_id for face_id, each in self.faces.items() if each.subject in subjects]
        assert self.run(change) == len(moved)
        assert self.run(self.location.versions()) == before + 1
        self.faces |= {face_id: replace(self.faces[face_id], subject=into) for face_id in moved}
        if not merge and subjects[0] in self.metadata:
            self.metadata[into] = self.metadata[subjects[0]]

    @rule(picked=st.lists(ONE, max_size=3))
    def delete_subjects(self, picked: list[int]) -> None:
        subjects = [self.subjects[number] for number in picked]
        gone, before = self.forget(set(subjects)), self.run(self.location.versions())
        assert self.run(self.writer.delete_subjects(NAME, subjects)) == gone
        assert self.run(self.location.versions()) == before + bool(gone)

    @precondition(lambda self: self.faces)
    @rule(pick=st.integers(0))
    def delete_face(self, pick: int) -> None:
        face_id = sorted(self.faces)[pick % len(self.faces)]
        subject, before = self.faces[face_id].subject, self.run(self.location.versions())
        del self.faces[face_id], self.requests[face_id]
        assert [self.run(self.writer.delete_faces(NAME, [face_id])) for _ in range(2)] == [{face_id: subject}, {}]
        assert self.run(self.location.versions()) == before + 1

    @rule()
    def optimise(self) -> None:
        self.run(self.writer.optimise())

    @rule()
    def clean(self) -> None:
        """Afterwards, no file contains the embedding, the id or the subject of a deleted face."""
        self.run(self.writer.clean())
        files = stored_bytes(Path(self.folder.name))
        stored = {normalised(each.embedding, SIZE).tobytes() for each in self.faces.values()}
        assert all(embedding in files for embedding in stored)
        for each in self.sent:
            embedding = normalised(each.embedding, SIZE).tobytes()
            assert embedding in stored or not any(embedding[at : at + 16] in files for at in range(0, SIZE * 4, 16))
            assert (each.id.encode() in files) == (each.id in self.faces)
            there = any(each.subject == known.subject for known in self.faces.values())
            assert (subject_key(each.subject).encode() in files) == there

    @rule()
    def reopen(self) -> None:
        self.run(self.writer.close())
        self.writer = self.run(Writer.open(self.location))
        assert self.writer.collections == [self.collection]

    @rule(limit=st.integers(1, 4), after=TEXTS)
    def turn_pages(self, limit: int, after: str) -> None:
        reader, pages = self.readers[0], list[str]()
        while page := self.run(reader.subjects(NAME, pages[-1] if pages else "", limit)):
            assert len(page) <= limit
            pages += [subject.id for subject in page]
        assert pages == sorted({each.subject for each in self.faces.values()})
        rest = self.run(reader.subjects(NAME, after, None))
        assert [subject.id for subject in rest] == [each for each in pages if each > after]

    @invariant()
    def everything_enrolled_is_listed_and_nothing_else(self) -> None:
        there = self.run(self.location.listed())
        assert list(there) == sorted({each.subject for each in self.faces.values()})
        stored = {each.face_id: (each.subject, each.label) for faces in there.values() for each in faces}
        assert stored == {face_id: (each.subject, each.label) for face_id, each in self.faces.items()}
        times = {subject: [each.created for each in faces] for subject, faces in there.items()}
        subjects = [Subject(each, len(made), min(made), max(made)) for each, made in times.items()]
        for reader in self.readers:
            assert self.run(reader.subjects(NAME, "", None)) == subjects
            _, counted = self.run(reader.statistics(self.collection.name))
            assert (counted.faces, counted.subjects) == (len(self.faces), len(there))
        self.metadata = {subject: metadata for subject, metadata in self.metadata.items() if subject in there}
        assert self.run(self.readers[0].metadata(NAME, self.subjects)) == self.metadata
        for subject in set(self.subjects) - there.keys():
            assert self.run(refusal(self.readers[0].faces(self.collection, subject))) == "SUBJECT_NOT_FOUND"

    @invariant()
    def searches_find_what_brute_force_finds(self) -> None:
        probes = [*vectors(2, seed=1), *[each.embedding for each in list(self.faces.values())[-1:]]]
        self.run(self.mirror.refresh())
        assert self.mirror.faces == len(self.faces)
        for count in (1, 3, 100):
            found = [self.run(search(reader, probes, count)) for reader in self.readers]
            found.append(best(self.mirror, [normalised(probe, SIZE) for probe in probes], count))
            for each in found:
                for probe, hits in zip(probes, each, strict=True):
                    wanted = brute_force(self.faces.values(), probe, count)
                    assert [hit.subject for hit in hits] == [subject for subject, _ in wanted]
                    assert [hit.cosine for hit in hits] == pytest.approx([cosine for _, cosine in wanted], abs=1e-5)
                    assert [self.faces[hit.face_id].subject for hit in hits] == [hit.subject for hit in hits]

    def known(self, face: NewFace) -> str | None:
        """The status of a face that is not new."""
        own = [each for each in self.faces.values() if (each.subject, each.source) == (face.subject, face.source)]
        return "already" if own else "moved" if face.id in self.faces else None

    def forget(self, subjects: set[str]) -> int:
        gone = [face_id for face_id, each in self.faces.items() if each.subject in subjects]
        for face_id in gone:
            del self.faces[face_id], self.requests[face_id]
        return len(gone)


TestChanges = Changes.TestCase
# Shrinking a failure would take minutes: each step works on files.
TestChanges.settings = settings(max_examples=8, stateful_step_count=16, phases=[Phase.reuse, Phase.generate])
