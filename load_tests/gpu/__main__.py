"""`python -m load_tests.gpu`: benchmark the networks in every engine of this machine, at several batch sizes.

The command times each network, compares its answers with those of the CPU, and measures a pipeline from encoded photos
to embeddings. It needs neither a service nor a network connection, and also runs on a machine without a GPU.
"""

import os
from dataclasses import asdict
from typing import Annotated, Any

import typer

from load_tests import RESULTS
from load_tests.gpu.networks import Row, measured_rows
from load_tests.gpu.pipeline import PipelineRate, pipeline_rates
from load_tests.gpu.report import draw_networks, networks_table, rates_table
from load_tests.gpu.runtimes import RUNTIMES, gpu_name, reference_runtime
from load_tests.gpu.sample import read_photo_sample
from load_tests.results import machine, save, wide_console
from models.card import Card
from models.catalogue import card, cards
from models.errors import ModelError
from models.store import Store, chosen_store

SIZES = (1, 2, 4, 8, 16, 32, 64)
THREADS = (1, 4, 16)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Model cards. Default: all pulled models.")] = None,
    largest: Annotated[int, typer.Option(min=1, max=64, help="Largest batch on a GPU; on a CPU, at most 8.")] = 64,
    seconds: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds per batch size. A pipeline run takes ten times as long.")
    ] = 0.5,
) -> None:
    """Benchmark the networks in every installed engine, print the results and save them."""
    # Set before PyTorch is imported. One thread, as for ONNX Runtime here and in replicas.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    store, reference, sizes = Store(chosen_store()), reference_runtime(), [size for size in SIZES if size <= largest]
    problems = [(runtime, runtime.problem()) for runtime in RUNTIMES]
    runtimes = [runtime for runtime, problem in problems if not problem]
    missing = [f"{runtime}: {problem}" for runtime, problem in problems if problem]
    try:
        entries = [card(name) for name in names] if names else _pulled(store, missing)
        sample = read_photo_sample(store, reference, {spec for entry in entries for spec in entry.crops})
    except ModelError as error:
        raise typer.BadParameter(str(error)) from error
    if others := [entry.name for entry in entries if entry.framework != "torch"]:
        missing.append(f"torch: {', '.join(others)} have no original in PyTorch")
    networks, rates, console = list[Row](), list[PipelineRate](), wide_console()
    written: dict[str, Any] = {"machine": machine() | {"gpu": gpu_name()}, "missing": missing}
    written |= {"input": sample.source, "reference": str(reference)}
    title = f"{gpu_name() or 'no GPU'}, {written['machine']['cpu']}; {sample.source}; compared with {reference}"
    console.print(title)

    def keep() -> None:
        save("gpu", written | {"networks": [*map(asdict, networks)], "pipelines": [*map(asdict, rates)]})

    for entry in entries:
        new = [*measured_rows(entry, store, [reference, *runtimes], sample, sizes, seconds, missing)]
        networks += new
        console.print(networks_table(new, sizes))
        # After every model, so that an interruption costs only the last one.
        keep()
    for runtime in runtimes if sample.photos else ():
        # The embedder has no original in PyTorch.
        embedder = reference if runtime.engine == "torch" else runtime
        try:
            rates.extend(pipeline_rates(store, runtime, embedder, sample, THREADS, 10 * seconds))
        except Exception as error:
            # The errors of the engines have no common base class below Exception.
            missing.append(f"pipeline, {runtime}: {error}")
    keep()
    console.print(rates_table(rates), *(f"missing: {each}" for each in missing), sep="\n")
    if networks:
        draw_networks(RESULTS / "gpu.png", title, networks)


def _pulled(store: Store, missing: list[str]) -> list[Card]:
    """Return the networks that are pulled, and add the others to `missing`."""
    single = [entry for entry in cards().values() if not entry.fusion and entry.framework != "mediapipe"]
    found = [entry for entry in single if store.state(entry) == "ready"]
    if others := [entry.name for entry in single if entry not in found]:
        missing.append(f"not pulled: {', '.join(others)}")
    missing.append("MediaPipe's detectors take one photo at a time, on the CPU")
    return found


if __name__ == "__main__":
    typer.run(main)
