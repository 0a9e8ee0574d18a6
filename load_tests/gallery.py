"""`python -m load_tests.gallery`: searching and enrolling in a large gallery over HTTP, in one run.

Starts the service with an empty gallery on loopback, enrols synthetic embeddings (random directions, the
hardest case for an index: nobody is near anybody), and searches it with ready embeddings, half of them
noisy copies of enrolled ones and half of them strangers. Exact search with numpy over the same embeddings
is the truth for recall@1, and its own time is measured beside. Prints a table and writes
data/bench/gallery.json.
"""

import json
import shutil
import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from load_tests.server import served
from project.root import ROOT

FOLDER = ROOT / "data" / "bench"
BATCH = 1000
NOISE = 0.5
"""Length of the noise on a probe, which is of length 1 itself."""

Vectors = NDArray[np.float32]


def unit(vectors: NDArray[np.float64]) -> Vectors:
    """Rows of length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def probes_of(enrolled: Vectors, count: int, random: np.random.Generator) -> Vectors:
    """Noisy copies of enrolled embeddings and strangers, in turn."""
    size = enrolled.shape[1]
    copies = enrolled[random.integers(len(enrolled), size=count)] + NOISE * unit(random.standard_normal((count, size)))
    strangers = random.standard_normal((count, size))
    return unit(np.where((np.arange(count) % 2 == 0)[:, None], copies, strangers))


def milliseconds(call: Callable[[int], Any], count: int) -> tuple[list[Any], Vectors]:
    """What `call` answers for each number below `count`, and the time of each."""
    answers, times = [], []
    for number in range(count):
        started = time.perf_counter()
        answers.append(call(number))
        times.append(1000 * (time.perf_counter() - started))
    return answers, np.array(times, np.float32)


def main(
    faces: Annotated[int, typer.Option(min=1000, max=1_000_000, help="Embeddings to enrol.")] = 100_000,
    searches: Annotated[int, typer.Option(min=10, max=10_000, help="Searches to measure.")] = 400,
    embedder: Annotated[str, typer.Option(help="Role of the embedder, whose size the embeddings have.")] = "arcface",
) -> None:
    """Enrol, search, measure, print and write down."""
    console = Console()
    shutil.rmtree(FOLDER / "gallery", ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        served("configs/serve.yaml", FOLDER / "serve.log", GALLERY_URI=str(FOLDER / "gallery")) as server,
        httpx.Client(
            base_url=server.address, timeout=60, headers={"content-type": "application/json"}, trust_env=False
        ) as client,
    ):
        kind = client.get("/v1/models").json()["embedders"][embedder]
        random = np.random.default_rng(0)
        enrolled = unit(random.standard_normal((faces, kind["embedding_dimensions"])))
        probes = probes_of(enrolled, searches, random)
        client.put("/v1/collections/bench", json={"embedder": embedder}).raise_for_status()

        def enrol(first: int, last: int, prefix: str) -> None:
            rows = [{"subject": f"{prefix}{row}", "values": enrolled[row].tolist()} for row in range(first, last)]
            body = {"contract": kind["embedding_contract"], "embeddings": rows}
            client.post("/v1/collections/bench/embeddings", json=body).raise_for_status()

        started = time.perf_counter()
        for first in track(range(0, faces, BATCH), "enrolling", console=console):
            enrol(first, min(first + BATCH, faces), "")
        rate = faces / (time.perf_counter() - started)

        bodies = [
            json.dumps(
                {
                    "embedding": {"contract": kind["embedding_contract"], "values": probe.tolist()},
                    "top_k": 1,
                    "threshold": -1,
                }
            )
            for probe in probes
        ]

        def search(number: int) -> str:
            answer = client.post("/v1/collections/bench/search/embedding", content=bodies[number])
            return str(answer.raise_for_status().json()["candidates"][0]["subject"])

        # The first search reads the gallery into memory.
        (_, first_search) = milliseconds(search, 1)
        found, over_http = milliseconds(search, searches)
        _, root = milliseconds(lambda _: client.get("/").raise_for_status(), searches)
        exact, with_numpy = milliseconds(lambda number: str(int((enrolled @ probes[number]).argmax())), searches)
        _, single = milliseconds(lambda number: enrol(number, number + 1, "again"), 50)
    recall = float(np.mean([one == other for one, other in zip(found, exact, strict=True)]))
    shutil.rmtree(FOLDER / "gallery", ignore_errors=True)

    table = Table("what", "p50 ms", "p95 ms", box=None)
    measured = {
        f"search over HTTP, {faces} faces of {enrolled.shape[1]} numbers": over_http,
        "the same with numpy, in one process": with_numpy,
        "GET / over HTTP": root,
        "the first search, which reads the gallery": first_search,
        "enrolling one more": single,
    }
    for what, times in measured.items():
        table.add_row(what, *(f"{np.percentile(times, share):.1f}" for share in (50, 95)))
    console.print(table)
    console.print(f"recall@1 {recall:.4f}; enrolled {rate:.0f} embeddings a second, {BATCH} a request")
    figures = {what: {"p50": float(np.median(times))} for what, times in measured.items()}
    report = {"faces": faces, "recall@1": recall, "enrolled_per_s": rate, "ms": figures}
    (FOLDER / "gallery.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
