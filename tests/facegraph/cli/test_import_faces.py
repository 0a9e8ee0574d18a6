"""`facegraph gallery import` into a running service."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from facegraph.cli import import_faces
from facegraph.client import Client
from facegraph.client import retries as client_retries
from gallery.location import Location
from gallery.records import EmbeddingKind
from gallery.transfer.parquet_export import export_gallery
from tests.facegraph.cli import Run
from tests.gallery.sample_gallery import enrol, face, vectors, writing
from tests.gallery.sample_transfers import silent

KIND = EmbeddingKind("arcface", "embedder-model", "contract", 2)
COUNT = 10


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The export of a collection called visitors, with ten faces of the service's embedder."""

    async def exported() -> Path:
        location = Location(str(tmp_path / "other"))
        async with writing(location, collection=None) as writer:
            await writer.create("visitors", KIND, 0.25)
            await enrol(
                writer, *(face(f"n-{n}", vector) for n, vector in enumerate(vectors(COUNT, size=2))), name="visitors"
            )
        [file] = await export_gallery(location, tmp_path / "out", [], silent)
        return file.path

    return asyncio.run(exported())


@pytest.fixture(autouse=True)
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send 4 faces per request."""
    monkeypatch.setattr(import_faces, "REQUEST_FACES", 4)


def test_a_missing_collection_is_created_and_a_repeated_import_adds_nothing(
    run: Run, staff: Client, export: Path
) -> None:
    assert run("gallery", "import", export)[:2] == (0, f"imported visitors: {COUNT} new of {COUNT} faces\n")
    assert (staff.collection("visitors").threshold, staff.collection("visitors").faces) == (0.25, COUNT)
    assert run("gallery", "import", export)[1] == f"imported visitors: 0 new of {COUNT} faces\n"
    assert run("gallery", "import", export, "--into", "staff")[1] == f"imported staff: {COUNT} new of {COUNT} faces\n"


def test_an_import_continues_after_a_lost_connection(
    run: Run, staff: Client, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, sent = httpx.Client.request, list[bool]()

    def lost(client: httpx.Client, method: str, url: str, **options: Any) -> httpx.Response:
        response = send(client, method, url, **options)
        if url.endswith("/import"):
            sent.append(len(sent) in (1, 2))
            if sent[-1]:
                raise httpx.ReadError("cut", request=response.request)
        return response

    monkeypatch.setattr(httpx.Client, "request", lost)
    monkeypatch.setattr(client_retries, "_FIRST_BACKOFF_S", 0.0)
    # The faces of the lost responses were already enrolled when they were sent again.
    assert run("gallery", "import", export)[1] == f"imported visitors: {COUNT - 4} new of {COUNT} faces\n"
    assert sent == [False, True, True, False, False]
    assert staff.collection("visitors").faces == COUNT


def test_an_import_of_another_model_or_that_the_service_refuses_is_an_error(
    run: Run, staff: Client, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff.put_collection("other", embedder="facenet")
    err = run("gallery", "import", export, "--into", "other")[2]
    assert "contains embeddings of embedder-model (contract contract), but other contains those of " in err
    monkeypatch.setenv("FACEGRAPH_URL", "http://localhost:9")
    monkeypatch.setattr(import_faces, "RETRIES", 0)
    status, _, err = run("gallery", "import", export)
    assert (status, "No response from http://localhost:9" in err) == (1, True)
