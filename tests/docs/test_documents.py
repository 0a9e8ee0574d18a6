"""Every code block of README.md, SECURITY.md and docs/ runs, or gives the reason why not: `tests.docs.snippets`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gallery.location import Location
from models.pull import configured_in
from models.store import Store
from project.root import ROOT
from tests.app_server import serving
from tests.default_configuration import CONFIG
from tests.docs.documents import DOCUMENTS, name
from tests.docs.snippets import run
from tests.gallery.sample_gallery import enrol, people, writing
from tests.own_networks import colour_network

MODELS = ROOT / "docs" / "models.md"
"""It adds two networks, and has its own test below."""


@pytest.fixture
def photos(mindy: bytes, mindy_again: bytes, jerry: bytes, sample_photos: Path) -> dict[str, bytes | Path]:
    """The photos by the names that the documents use."""
    names = {
        mindy: ("face.jpg", "a.jpg", "ada1.jpg", "ada3.jpg", "one.jpg"),
        mindy_again: ("again.jpg", "b.jpg", "ada2.jpg", "somebody.jpg", "other.jpg", "people/mindy/1.jpg"),
        jerry: ("bob.jpg", "c.jpg", "people/jerry/1.jpg"),
    }
    return {"data/photos": sample_photos, **{name: photo for photo, each in names.items() for name in each}}


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes | Path]:
    """Copies of the configurations. Variables name a gallery and a key file, so that the project's stay unchanged."""

    async def fill() -> None:
        async with writing(Location(str(tmp_path / "gallery"))) as writer:
            await enrol(writer, *people(2))

    asyncio.run(fill())
    monkeypatch.setenv("GALLERY_URI", str(tmp_path / "gallery"))
    monkeypatch.setenv("KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return {f"configs/{path.name}": path.read_bytes() for path in (ROOT / "configs").glob("*.yaml")}


@contextmanager
def overloaded_once(service: httpx.Client) -> Iterator[tuple[str, list[str]]]:
    """A relay to the service that answers 503 to the first request with each idempotency key.

    Yields its address, and the idempotency keys of all requests.
    """
    keys = list[str]()

    async def answer(request: Request) -> Response:
        if key := request.headers.get("Idempotency-Key"):
            keys.append(key)
            if keys.count(key) == 1:
                return JSONResponse({"error": {"code": "OVERLOADED"}}, 503, {"Retry-After": "1"})
        kept = {name: request.headers[name] for name in {*request.headers} & {"content-type", "idempotency-key"}}
        path, body = f"{request.scope['raw_path'].decode()}?{request.url.query}", await request.body()
        given = await run_in_threadpool(service.request, request.method, path, content=body, headers=kept)
        return Response(given.content, given.status_code, media_type=given.headers["content-type"])

    routes = [Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "DELETE"])]
    with serving(Starlette(routes=routes)) as address:
        yield address, keys


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if each != MODELS], ids=name)
def test_blocks_of_a_document_run(
    document: Path,
    service: httpx.Client,
    tmp_path: Path,
    photos: dict[str, bytes | Path],
    surroundings: dict[str, bytes | Path],
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    files = {**photos, **surroundings}
    if document.name == "http.md":
        with overloaded_once(service) as (address, keys):
            run(document, address, folder, files)
        assert [keys.count(key) for key in keys] == [2] * len(keys) != []
    else:
        run(document, str(service.base_url), folder, files)
    for collection in service.get("/v1/collections").json()["collections"]:
        service.delete(f"/v1/collections/{collection['name']}", params={"with_faces": True}).raise_for_status()


def test_blocks_that_add_networks_run(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_STORE", str(tmp_path / "data" / "models"))
    matrix = np.ones((3, 64), np.float32)
    files: dict[str, bytes | Path] = {
        "configs/serve.yaml": CONFIG.read_bytes(),
        "data/cards/own.onnx": colour_network(matrix, 112),
        "data/cards/own-live.onnx": colour_network(matrix[:, :3], 80),
        **{f"data/models/{pulled.name}": store.folder(pulled) for pulled in configured_in(CONFIG)},
    }
    run(MODELS, "http://no.service", tmp_path, files)
