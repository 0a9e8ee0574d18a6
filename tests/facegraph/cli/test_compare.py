"""`facegraph compare`."""

import json
from pathlib import Path

from tests.facegraph.cli import Run
from tests.fakes import People


def test_photos_are_compared_with_the_first(run: Run, people: People, tmp_path: Path) -> None:
    photos = [tmp_path / name for name in ("1.jpg", "2.jpg", "3.jpg", "4.jpg")]
    for path, words in zip(photos, ("anna", "anne", "bob", "nobody"), strict=True):
        path.write_text(words)
    assert run("compare", *photos)[1].splitlines() == [
        f"match {photos[1]}: similarity 0.940",
        f"no match {photos[2]}: similarity 0.000",
        f"refused {photos[3]}: NO_FACE_DETECTED No face detected",
        "a match needs at least 0.4",
    ]
    found = json.loads(run("compare", *photos, "--json")[1])
    assert [(each["file"], each["match"]) for each in found["photos"]] == [
        *((str(photos[1]), True), (str(photos[2]), False), (str(photos[3]), False))
    ]
