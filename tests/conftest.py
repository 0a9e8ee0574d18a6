"""Fixtures and helpers for tests of several rooms."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings
from rich.console import Console

from deployments.address import reserved_port
from deployments.transport import forget_proxies
from models.card import Card
from models.catalogue import card, networks_of
from models.pull import pull
from models.store import DEFAULT_STORE, Store
from project.root import ROOT
from tests import photos
from tests.collector import Collector, collector
from tests.live_service import LiveService, NotReadyError
from tests.service_files import ServiceFiles

SERVED = pytest.mark.xdist_group("served")
"""Marks tests that start their own service. Tests that use the session's service need no mark."""

NOT_STARTED = pytest.StashKey[bool]()

# The duration of an example depends on other work on the machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Requests to the tests' own servers must not go through a proxy.
forget_proxies()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of tests that are coroutines."""
    return "asyncio"


@pytest.fixture(scope="session")
def store() -> Store:
    """The models that `make test` has pulled."""
    return Store(DEFAULT_STORE)


@pytest.fixture(scope="session")
def sample_photos() -> Path:
    """The sample photos that `make test` has fetched, one folder per person."""
    assert photos.FOLDER.is_dir(), "run `python -m tests.photos` first"
    return photos.FOLDER


def pulled(name: str) -> Card:
    """A card whose networks are ready. Weights that are in no package registry come from a local mirror."""
    entry, store = card(name), Store(DEFAULT_STORE)
    for network in networks_of(entry):
        if store.state(network) != "ready":
            mirror = Path(os.environ.get("MODEL_MIRROR", ROOT.parent / "shared" / "weights"))
            carried = all(any(source.kind != "https" for source in file.sources) for file in network.files)
            if not (carried or mirror.is_dir()):
                pytest.skip(f"{network.name} is not pulled, and there is no mirror to pull it from")
            pull([network], store, mirror if mirror.is_dir() else None, Console(quiet=True))
    return entry


def shared(path: str) -> Path:
    """A photo, or a folder of photos, in a folder beside the project on some machines."""
    found = ROOT.parent / "shared" / path
    if not found.exists():
        pytest.skip(f"{path} is not on this machine")
    return found


@pytest.fixture(scope="session")
def traces() -> Iterator[Collector]:
    """The traces of the session's service."""
    with collector() as traces:
        yield traces


@pytest.fixture(scope="session")
def service_files(tmp_path_factory: pytest.TempPathFactory, traces: Collector) -> ServiceFiles:
    files = ServiceFiles(tmp_path_factory.mktemp("serve"), traces.address)
    files.write()
    return files


@pytest.fixture(scope="session")
def server(service_files: ServiceFiles, pytestconfig: pytest.Config) -> Iterator[LiveService]:
    """The default configuration with an empty gallery, served for the whole session."""
    try:
        with service_files.start() as server:
            yield server
    except NotReadyError:
        pytestconfig.stash[NOT_STARTED] = True
        raise


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that use the session's service after it failed to start; the first of them has failed with its log."""
    if "server" in getattr(item, "fixturenames", ()) and NOT_STARTED in item.config.stash:
        pytest.skip("the session's service did not start")


@pytest.fixture
def lone_port() -> Iterator[int]:
    """A free port that no other process gets."""
    with reserved_port() as port:
        yield port


@pytest.fixture(scope="session")
def service(server: LiveService) -> Iterator[httpx.Client]:
    """A client of the session's service."""
    with httpx.Client(base_url=server.address, timeout=60) as client:
        yield client


def photo(folder: Path, person: str, ending: str) -> bytes:
    return next(iter((folder / person).glob(f"*{ending}"))).read_bytes()


@pytest.fixture(scope="session")
def mindy(sample_photos: Path) -> bytes:
    return photo(sample_photos, "mindy_kaling", "zimbiocomfpMindyKalingfBgaONVFDFmjpg.jpg")


@pytest.fixture(scope="session")
def mindy_again(sample_photos: Path) -> bytes:
    return photo(sample_photos, "mindy_kaling", "zimbiocomgiMindyKalingLkvEhTwDeJmjpg.jpg")


@pytest.fixture(scope="session")
def jerry(sample_photos: Path) -> bytes:
    return photo(sample_photos, "jerry_seinfeld", "mentimpactcelebritiesmediumjerrybjpg.jpg")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group the tests for `-n`: all tests with a live service run in one process, and each other file in any.

    Several processes start with the live services and end with the files of ``tests/api``, which are short, so that all
    end at about the same time. A single process runs the live services last, so that no other test has to share the
    machine with them.
    """
    several = hasattr(config, "workerinput")
    files = {path: number for number, path in enumerate(dict.fromkeys(item.path for item in items))}

    def order(item: pytest.Item) -> tuple[bool, bool, bool, int]:
        asks = "server" in getattr(item, "fixturenames", ())
        served = asks or any(mark.args == SERVED.args for mark in item.iter_markers(SERVED.name))
        item.add_marker(SERVED if served else pytest.mark.xdist_group(str(item.path)))
        # Tests with their own service run before the session's service starts, and tests that break it run last.
        faults = item.get_closest_marker("faults") is not None
        return served is not several, asks, faults, -files[item.path] if several else files[item.path]

    items.sort(key=order)
