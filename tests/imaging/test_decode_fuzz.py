"""The decode gate against thousands of spoiled photos, and against the worst of earlier ones."""

import itertools
import json
import resource
from collections import Counter
from pathlib import Path

import pytest

from tests.imaging.fuzz import FINDINGS, outcome, smallest
from tests.imaging.mutants import MUTATIONS, boundaries, mutants, seeds

# Pillow says so of broken EXIF data, which does not spoil a photo.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

CASES = 3000
MOST_MEMORY = 64
"""MiB that the process may grow by: what is let in has at most a million pixels."""
KNOWN = json.loads((FINDINGS / "known.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def files(sample_photos: Path) -> list[bytes]:
    return seeds(sample_photos)


def peak() -> float:
    """Most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_a_spoiled_photo_is_decoded_or_refused_and_nothing_else(files: list[bytes]) -> None:
    before = peak()
    seen = Counter(outcome(data) for data in itertools.islice(mutants(files, seed=1), CASES))
    # The mutants are of use: most are damaged, and enough of them not so badly that nothing is tried.
    assert seen["INVALID_IMAGE"] > CASES / 2
    assert seen["decoded"] > CASES / 10
    assert seen["IMAGE_TOO_LARGE"] > 0
    assert peak() - before < MOST_MEMORY


def test_what_is_spoiled_is_whole_before(files: list[bytes]) -> None:
    assert len(set(files)) == len(files) == 48
    assert {outcome(data) for data in files} == {"decoded"}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: str(mutation.__name__))
def test_every_mutation_changes_a_file(mutation: object, files: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.imaging.mutants.MUTATIONS", (mutation,))
    changed = sum(data not in files for data in itertools.islice(mutants(files, seed=2), 20))
    assert changed >= 10


def test_the_same_seed_gives_the_same_mutants(files: list[bytes]) -> None:
    first, again, other = (list(itertools.islice(mutants(files, seed), 5)) for seed in (3, 3, 4))
    assert first == again != other


def test_chunks_and_segments_are_found() -> None:
    assert boundaries(bytearray(b"\x89PNG....IHDR....IDAT....")) == [8, 16]
    assert boundaries(bytearray(b"\xff\xd8\xff\xe0..\xff\x00\xff\xff\xd9")) == [0, 2, 9]


def test_a_finding_is_brought_to_its_smallest_form() -> None:
    assert smallest(b"a long text with a needle in it", lambda data: b"needle" in data) == b"needle"


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_known_file_has_its_known_outcome(name: str) -> None:
    data = (FINDINGS / name).read_bytes()
    assert len(data) < 4096
    assert outcome(data) == KNOWN[name]["outcome"], KNOWN[name]["what"]


def test_every_file_that_is_kept_is_known() -> None:
    assert {path.name for path in FINDINGS.iterdir()} == {*KNOWN, "known.json"}
    assert len(KNOWN) >= 5
