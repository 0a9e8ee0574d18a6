"""`python -m load_tests.bench`: POST /match against the bare pipeline, in one run, on the same pair of photos.

The bare pipeline runs in one process and then in as many as there are cores; the service is started
with the default configuration on loopback and asked by 1, 2, 4 and 8 clients. Each measurement lasts
`--seconds`. Prints a table and writes data/bench/match.json.
"""

import base64
import io
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import PIL.Image
import typer
from rich.console import Console
from rich.table import Table

from graphs.settings import ROOT
from load_tests.server import served
from tests import photos

FOLDER = ROOT / "data" / "bench"
CLIENTS = (1, 2, 4, 8)
# The sample photos are small: enlarged to the size of what a phone's client sends.
LONGEST_SIDE = 1024


@dataclass(frozen=True)
class Result:
    """One measurement: what was asked, answers a second, and milliseconds an answer."""

    what: str
    rate: float
    p50: float
    p95: float


def result(what: str, seconds: float, times: list[float]) -> Result:
    """Sum up the seconds that each answer took within a run of `seconds`."""
    p50, p95 = np.percentile(times, [50, 95]) * 1000
    return Result(what, len(times) / seconds, float(p50), float(p95))


def prepare() -> tuple[Path, Path]:
    """Two photos of one person, 1,024 pixels on the longer side."""
    photos.fetch()
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = []
    for number, path in enumerate(sorted((photos.FOLDER / "mindy_kaling").glob("*zimbio*.jpg"))[:2]):
        image = PIL.Image.open(path)
        scale = LONGEST_SIDE / max(image.size)
        file = io.BytesIO()
        image.resize((round(image.width * scale), round(image.height * scale))).save(file, "JPEG", quality=92)
        made.append(FOLDER / f"photo{number + 1}.jpg")
        made[-1].write_bytes(file.getvalue())
    return made[0], made[1]


def bare(pair: tuple[Path, Path], processes: int, seconds: float) -> Result:
    """The bare pipeline in `processes` processes at once."""
    command = [sys.executable, "-m", "load_tests.bare", *map(str, pair), str(seconds)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    # All wait for the last one, then run together.
    outputs: list[str] = [""] * processes
    threads = [threading.Thread(target=_finish, args=(process, outputs, n)) for n, process in enumerate(running)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [float(line) for output in outputs for line in output.split()]
    return result(f"bare pipeline, {processes} processes", seconds, times)


def _finish(process: "subprocess.Popen[str]", outputs: list[str], number: int) -> None:
    outputs[number], _ = process.communicate("go\n")


def asked(address: str, pair: tuple[Path, Path], clients: int, seconds: float) -> Result:
    """The service with `clients` clients, each sending its next request as soon as it has an answer."""
    image1, image2 = (base64.b64encode(path.read_bytes()).decode() for path in pair)
    body = json.dumps({"image1": image1, "image2": image2}).encode()
    times: list[float] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        with httpx.Client(base_url=address, timeout=60, headers={"content-type": "application/json"}) as session:
            while (started := time.perf_counter()) < end:
                session.post("/match", content=body).raise_for_status()
                times.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result(f"POST /match, {clients} clients", seconds, times)


def main(
    seconds: Annotated[float, typer.Option(min=1, max=60, help="Length of each measurement.")] = 10,
) -> None:
    """Measure, print and write down."""
    pair, console = prepare(), Console()
    console.print("measuring the bare pipeline")
    results = [bare(pair, processes, seconds) for processes in (1, os.cpu_count() or 1)]
    limit, alone = results[-1].rate, results[0].p50
    console.print("starting the service")
    with served("configs/serve.yaml", FOLDER / "serve.log", GALLERY_URI=str(FOLDER / "gallery")) as server:
        asked(server.address, pair, 1, 2)
        for clients in CLIENTS:
            console.print(f"measuring {clients} clients")
            results.append(asked(server.address, pair, clients, seconds))
    table = Table("what", "answers/s", "p50 ms", "p95 ms", "of the bare rate", "p50 over bare", box=None)
    for entry in results:
        numbers = (f"{entry.rate:.2f}", f"{entry.p50:.0f}", f"{entry.p95:.0f}")
        table.add_row(entry.what, *numbers, f"{entry.rate / limit:.0%}", f"{entry.p50 - alone:+.0f} ms")
    console.print(table)
    (FOLDER / "match.json").write_text(json.dumps([asdict(entry) for entry in results], indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
