"""`python -m load_tests.gallery`: measure a large gallery's searches, enrolments and listings over HTTP.

See docs/performance.md. With one photo per person, embeddings are random directions. This is the hardest case for an
index, because no two embeddings are close.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from rich.console import Console
from urllib3 import HTTPConnectionPool, connection_from_url

from load_tests import CONFIG
from load_tests.collection_client import CollectionClient
from load_tests.processes import sample
from load_tests.programs import ConfigOption, RunningService, running_service
from load_tests.results import machine, save, table
from load_tests.synthetic_faces import PROBES, Vectors, subject_of, synthetic_faces, write_arrow

BATCH, BATCHES = 1000, 10
"""Embeddings per JSON request, and number of such requests."""
CLIENTS = 16
ROUNDS = 5
"""Number of rounds in which one client, many clients and numpy take turns, because a shared machine's speed varies."""
REPEATS = 3
"""Number of times that each probe is sent when many clients search."""
SINGLES = 50
"""Faces enrolled one at a time."""
TIMEOUT_S = 3600
"""Maximum time for a request, such as an import, in seconds."""


class Timing:
    """Collects the times of calls.

    Attributes:
        milliseconds: duration of each call.
        seconds: total duration of all runs.
    """

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.seconds = 0.0

    def run(self, call: Callable[[Any], Any], values: Iterable[Any], clients: int = 1) -> list[Any]:
        """Call `call` with each value, from `clients` threads, and return the results."""

        def one(value: Any) -> Any:
            start = time.perf_counter()
            result = call(value)
            self.milliseconds.append(1000 * (time.perf_counter() - start))
            return result

        with ThreadPoolExecutor(clients) as pool:
            start = time.perf_counter()
            results = list(pool.map(one, values))
        self.seconds += time.perf_counter() - start
        return results

    @property
    def figures(self) -> dict[str, float]:
        """Median, 95th percentile and rate of the calls."""
        p50, p95 = np.percentile(self.milliseconds, (50, 95)).tolist()
        return {"p50_ms": p50, "p95_ms": p95, "per_second": len(self.milliseconds) / self.seconds}


def connections(service: RunningService) -> HTTPConnectionPool:
    """Return a pool with a connection for each client."""
    return connection_from_url(service.address, maxsize=CLIENTS, block=True, timeout=TIMEOUT_S, retries=False)


def reader_bytes(service: RunningService) -> list[int]:
    """Return the memory of each reader in bytes, as its proportional set size (PSS)."""
    readers = [each for each, name in sample(service.process).replicas.items() if name == "gallery-reader"]
    return [psutil.Process(each).memory_full_info().pss for each in readers]


def fill(client: CollectionClient, faces: Vectors, photos: int) -> float:
    """Import the faces in one request, and return the faces per second."""
    with TemporaryDirectory() as temporary:
        file = Path(temporary) / "faces.arrow"
        write_arrow(file, faces, photos)
        start = time.perf_counter()
        client.import_file(file)
        return len(faces) / (time.perf_counter() - start)


def present(title: str, timings: Mapping[str, Timing], figures: Mapping[str, float]) -> None:
    """Print a table of the timings and a table of the other figures."""
    made, summary = table(title, "p50 ms", "p95 ms", "per second"), table("", "")
    for what, timing in timings.items():
        made.add_row(what, *(f"{number:.1f}" for number in timing.figures.values()))
    for what, number in figures.items():
        summary.add_row(what, f"{number:.4g}")
    Console().print(made, summary)


def main(
    faces: Annotated[int, typer.Option(min=1000, max=5_000_000, help="Embeddings to enrol.")] = 100_000,
    photos: Annotated[int, typer.Option(min=1, help="Embeddings per person.")] = 1,
    searches: Annotated[int, typer.Option(min=30, max=10_000, help="Number of probes.")] = 300,
    embedder: Annotated[str, typer.Option(help="Role of the embedder whose embedding size is used.")] = "arcface",
    config: ConfigOption = CONFIG,
    keep: Annotated[
        Path | None, typer.Option(help="Folder that keeps the filled gallery, so that later runs need not import it.")
    ] = None,
) -> None:
    """Measure enrolments, searches and listings, print the results, and write them to data/bench."""
    figures: dict[str, float] = {}
    by_json, alone, together, product, single, cleaning, listing, counting = (Timing() for _ in range(8))
    with ExitStack() as stack:
        name = f"{faces}-{photos}-{embedder}"
        folder = (keep or Path(stack.enter_context(TemporaryDirectory()))).absolute() / name
        filled, unfinished = folder.exists(), folder.with_suffix(".part")
        with (
            running_service(config, **({} if filled else {"GALLERY_URI": str(unfinished)})) as service,
            connections(service) as http,
        ):
            client, empty = CollectionClient(http, "json", embedder), reader_bytes(service)[0]
            enrolled, probes = synthetic_faces(faces // photos, photos, client.size, searches)
            batches = [
                [(f"{n}-{row}", enrolled[(BATCH * n + row) % len(enrolled)]) for row in range(BATCH)]
                for n in range(BATCHES)
            ]
            by_json.run(client.enrol, batches)
            client.drop()
            if not filled:
                figures["imported per second"] = fill(CollectionClient(http, name, embedder), enrolled, photos)
        if not filled:
            unfinished.rename(folder)
        figures["enrolled per second, JSON"] = BATCH * BATCHES / by_json.seconds
        start = time.perf_counter()
        service = stack.enter_context(running_service(config, GALLERY_URI=str(folder)))
        figures["seconds to ready"] = time.perf_counter() - start
        http = stack.enter_context(connections(service))
        client, found, nearest = CollectionClient(http, name, embedder), list[str](), list[int]()
        bodies = [client.search_body(probe) for probe in probes]
        start = time.perf_counter()
        client.search(bodies[0])
        figures["seconds of the first search"] = time.perf_counter() - start
        for part in np.array_split(np.arange(searches), ROUNDS):
            own = [bodies[number] for number in part]
            found += alone.run(client.search, own)
            together.run(client.search, own * REPEATS, CLIENTS)
            nearest += product.run(lambda probe: int((enrolled @ probe).argmax()), probes[part])
        memory = reader_bytes(service)
        subjects = [f"single-{time.time_ns()}-{number}" for number in range(SINGLES)]
        single.run(lambda n: client.enrol([(subjects[n], probes[n % searches])]), range(SINGLES))
        start = time.perf_counter()
        client.list_subjects("")
        figures["seconds of the first list"] = time.perf_counter() - start
        for subject in subjects:
            client.delete(subject)
            listing.run(client.list_subjects, [subject])
            counting.run(lambda _: client.count(), [subject])
        with ThreadPoolExecutor(1) as pool:
            clean = pool.submit(client.clean)
            while not clean.done():
                cleaning.run(lambda n: client.enrol([(f"{subjects[0]}-{n}", probes[0])]), [len(cleaning.milliseconds)])
        clean.result()
        for another in range(len(cleaning.milliseconds)):
            client.delete(f"{subjects[0]}-{another}")
    right = np.equal(found, [subject_of(row, photos) for row in nearest])
    figures |= {f"recall@1, {kind}": float(right[number :: len(PROBES)].mean()) for number, kind in enumerate(PROBES)}
    figures["p50 of searches relative to numpy"] = alone.figures["p50_ms"] / product.figures["p50_ms"]
    figures[f"rate with {CLIENTS} clients relative to one"] = (
        together.figures["per_second"] / alone.figures["per_second"]
    )
    figures["readers"] = len(memory)
    figures["bytes of readers per number"] = (sum(memory) - empty * len(memory)) / enrolled.size
    timings = {"search, 1 client": alone, f"search, {CLIENTS} clients": together, "numpy's exact product": product}
    timings |= {"enrolling one more": single, "the same during a clean-up": cleaning}
    timings |= {"listing 100 subjects after a deletion": listing, "counting": counting}
    title = f"{len(enrolled)} faces of {client.size} numbers, {photos} per person"
    present(title, timings, figures)
    written = {"machine": machine(), "config": str(config), "name": name, "figures": figures}
    written["timings"] = {what: timing.figures for what, timing in timings.items()}
    save(f"gallery-{name}", written)


if __name__ == "__main__":
    typer.run(main)
