"""`python -m load_tests.gallery`: search and enrol in a large gallery over HTTP (docs/performance.md).

It enrols random directions, the hardest case for an index, because no two of them are close.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from load_tests import CONFIG
from load_tests.programs import running_service
from load_tests.results import table

BATCH = 1000
NOISE = 0.5
"""Length of the noise on a probe of length 1."""
COLLECTION = "/v1/collections/bench"


def random_units(chance: np.random.Generator, count: int, size: int) -> NDArray[np.float32]:
    """Return random embeddings of length 1."""
    vectors = chance.standard_normal((count, size))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def timed(what: str, call: Callable[[int], Any], count: int) -> tuple[list[Any], list[float]]:
    """Return the result of `call` for each number below `count`, and the milliseconds of each."""
    results, moments = [], [time.perf_counter()]
    for number in track(range(count), what):
        results.append(call(number))
        moments.append(time.perf_counter())
    return results, list(1000 * np.diff(moments))


def main(
    faces: Annotated[int, typer.Option(min=1000, max=1_000_000, help="Embeddings to enrol.")] = 100_000,
    searches: Annotated[int, typer.Option(min=10, max=10_000, help="Searches to measure.")] = 400,
    embedder: Annotated[
        str, typer.Option(help="Role of the embedder that determines the size of the embeddings.")
    ] = "arcface",
) -> None:
    """Enrol, search, measure and print."""
    with (
        running_service(CONFIG) as service,
        httpx.Client(base_url=service.address, timeout=60, trust_env=False) as client,
    ):
        model = client.get("/v1/models").json()["embedders"][embedder]
        contract, size, chance = model["embedding_contract"], model["embedding_dimensions"], np.random.default_rng(0)
        enrolled = random_units(chance, faces, size)
        copied = enrolled[chance.integers(faces, size=searches)] + NOISE * random_units(chance, searches, size)
        even = (np.arange(searches) % 2 == 0)[:, None]
        probes = np.where(even, copied, random_units(chance, searches, size)).astype(np.float32)
        client.put(COLLECTION, json={"embedder": embedder}).raise_for_status()

        def enrol(first: int, last: int, prefix: str) -> None:
            rows = [{"subject": f"{prefix}{row}", "values": enrolled[row].tolist()} for row in range(first, last)]
            client.post(f"{COLLECTION}/embeddings", json={"contract": contract, "embeddings": rows}).raise_for_status()

        def search(number: int) -> str:
            embedding = {"contract": contract, "values": probes[number].tolist()}
            body = {"embedding": embedding, "top_k": 1, "threshold": -1}
            answer = client.post(f"{COLLECTION}/search/embedding", json=body).raise_for_status()
            return str(answer.json()["candidates"][0]["subject"])

        starts = range(0, faces, BATCH)
        _, batches = timed("enrol", lambda n: enrol(starts[n], min(starts[n] + BATCH, faces), ""), len(starts))
        # The first search reads the gallery into memory.
        search(0)
        found, over_http = timed("search", search, searches)
        exact, with_numpy = timed("numpy", lambda n: str(int((enrolled @ probes[n]).argmax())), searches)
        _, single = timed("enrol one", lambda n: enrol(n, n + 1, "again"), 50)
    made = table("", "p50 ms", "p95 ms")
    what = f"search over HTTP, {faces} faces of {size} numbers"
    measured = {what: over_http, "the same with numpy, in one process": with_numpy, "enrolling one more": single}
    for what, times in measured.items():
        made.add_row(what, *(f"{share:.1f}" for share in np.percentile(times, (50, 95))))
    speed = f"enrolled {1000 * faces / sum(batches):.0f} embeddings per second, {BATCH} per request"
    Console().print(made, f"recall@1 {np.mean(np.equal(found, exact)):.4f}; {speed}", sep="\n")


if __name__ == "__main__":
    typer.run(main)
