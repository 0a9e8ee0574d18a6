"""Every command of README.md, SECURITY.md and docs/ is run, or says why it is not: `tests.docs.snippets`."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gallery.location import Location
from tests.conftest import PROJECT
from tests.docs.documents import DOCUMENTS, name
from tests.docs.snippets import run
from tests.gallery.sample_gallery import enrol, people, writing

ELSEWHERE = {
    "cli.md": "test_cli.py",
    "client.md": "test_clients.py",
    "http.md": "test_clients.py",
    "models.md": "test_adding_a_model.py",
}
"""Documents that have a test of their own."""


@pytest.fixture
def photos(mindy: bytes, mindy_again: bytes, jerry: bytes, sample_photos: Path) -> dict[str, bytes | Path]:
    """What the documents call their photos."""
    hers = dict.fromkeys(("face.jpg", "a.jpg", "ada1.jpg", "ada3.jpg"), mindy)
    others = {"bob.jpg": jerry, **dict.fromkeys(("b.jpg", "ada2.jpg", "somebody.jpg"), mindy_again)}
    return {**hers, **others, "data/photos": sample_photos}


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes | Path]:
    """Configurations, and by variables a gallery, keys and modules: nothing of the project is changed."""

    async def fill() -> None:
        async with writing(Location(str(tmp_path / "gallery"))) as writer:
            await enrol(writer, *people(2))

    asyncio.run(fill())
    monkeypatch.setenv("GALLERY_URI", str(tmp_path / "gallery"))
    monkeypatch.setenv("KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    return {f"configs/{path.name}": path.read_bytes() for path in (PROJECT / "configs").glob("*.yaml")}


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if each.name not in ELSEWHERE], ids=name)
def test_what_a_document_shows_is_run(
    document: Path,
    service: httpx.Client,
    tmp_path: Path,
    photos: dict[str, bytes | Path],
    surroundings: dict[str, bytes | Path],
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    run(document, str(service.base_url), folder, {**photos, **surroundings})
    for collection in service.get("/v1/collections").json()["collections"]:
        service.delete(f"/v1/collections/{collection['name']}", params={"with_faces": True}).raise_for_status()


@pytest.mark.parametrize(("document", "test"), ELSEWHERE.items())
def test_what_is_run_elsewhere_is_run_there(document: str, test: str) -> None:
    assert (PROJECT / "docs" / document).is_file()
    assert f'"{document}"' in (PROJECT / "tests" / "docs" / test).read_text("utf-8")
