"""The command and the service together: real photos, real networks."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from tests.facegraph.cli.typing import Run

COLLECTION = "of-the-command"


@pytest.fixture
def album(sample_photos: Path, tmp_path: Path) -> Path:
    """Two people with a photo each, and somebody whose photo is none."""
    for person, ending in (("mindy_kaling", "BgaONVFDFmjpg.jpg"), ("jerry_seinfeld", "mediumjerrybjpg.jpg")):
        (tmp_path / "album" / person).mkdir(parents=True)
        [photo] = (sample_photos / person).glob(f"*{ending}")
        shutil.copy(photo, tmp_path / "album" / person)
    (tmp_path / "album" / "nobody").mkdir()
    (tmp_path / "album" / "nobody" / "1.jpg").write_bytes(b"no photo")
    return tmp_path / "album"


def test_people_are_enrolled_found_embedded_anew_and_found_again(
    run: Run, service: httpx.Client, album: Path, mindy_again: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGRAPH_URL", str(service.base_url))
    probe = tmp_path / "probe.jpg"
    probe.write_bytes(mindy_again)
    status, out, err = run("gallery", "enrol", album, "--collection", COLLECTION, "--create")
    assert (status, err) == (1, "error 1 of 3 files were refused\n")
    assert f"refused {album}/nobody/1.jpg of nobody: INVALID_IMAGE" in out
    assert "2 enrolled, 0 already there, 1 refused\n" in out

    status, out, _ = run("gallery", "search", probe, "--collection", COLLECTION)
    assert status == 0
    assert ": mindy_kaling 0.7" in out

    other = f"{COLLECTION}-2"
    words = ("gallery", "re-embed", album, "--from", COLLECTION, "--to", other, "--embedder", "facenet")
    status, out, err = run(*words)
    assert (status, out.splitlines()[0], err) == (0, "2 enrolled, 0 already there, 0 refused", "")
    assert ": mindy_kaling 0." in run("gallery", "search", probe, "--collection", other)[1]
    for name in (COLLECTION, other):
        assert run("gallery", "drop", name, "--yes")[0] == 0


def test_a_running_service_is_measured(run: Run, service: httpx.Client, album: Path) -> None:
    photos = sorted(album.glob("*/*jpg.jpg"))
    words = ("bench", *photos, "--url", service.base_url, "--clients", "1", "--seconds", "1", "--json")
    status, out, _ = run(*words)
    measured = json.loads(out)
    assert status == 0
    assert measured["errors"] == {}
    assert {"http", "ingress", "detector-busy", "embedder-busy", "decode"} <= measured["steps_ms"].keys()
