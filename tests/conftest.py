"""What the tests of several rooms share."""

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
from tests import photos
from tests.collector import Collector, collector
from tests.live_service import LiveService, NotReadyError
from tests.service_files import ServiceFiles

SERVED = pytest.mark.xdist_group("served")
"""On tests with a service of their own; those that ask the session's have it by themselves."""

NOT_STARTED = pytest.StashKey[bool]()

PROJECT = Path(__file__).resolve().parents[1]


# How long an example takes depends on what else the machine does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Where the tests ask one another's servers, no proxy may stand between.
forget_proxies()


@pytest.fixture(scope="session")
def store() -> Store:
    """The models that `make test` pulled."""
    return Store(DEFAULT_STORE)


@pytest.fixture(scope="session")
def sample_photos() -> Path:
    """A folder a person with the sample photos that `make test` fetched."""
    assert photos.FOLDER.is_dir(), "run `python -m tests.photos` first"
    return photos.FOLDER


def pulled(name: str) -> Card:
    """A card whose networks are ready. Those that no package registry carries come from a local mirror."""
    entry, store = card(name), Store(DEFAULT_STORE)
    for network in networks_of(entry):
        if store.state(network) != "ready":
            mirror = Path(os.environ.get("MODEL_MIRROR", PROJECT.parent / "shared" / "weights"))
            carried = all(any(source.kind != "https" for source in file.sources) for file in network.files)
            if not (carried or mirror.is_dir()):
                pytest.skip(f"{network.name} is not pulled, and there is no mirror to pull it from")
            pull([network], store, mirror if mirror.is_dir() else None, Console(quiet=True))
    return entry


def shared_case(name: str) -> Path:
    """A photo from somebody's bug report, which lies beside the project on some machines."""
    path = PROJECT.parent / "shared" / "cases" / "files" / name
    if not path.is_file():
        pytest.skip(f"{name} is not on this machine")
    return path


def shared_faces(folder: str) -> Path:
    """A folder of photos that lies beside the project on some machines."""
    path = PROJECT.parent / "shared" / "faces" / folder
    if not path.is_dir():
        pytest.skip(f"the photos of {folder} are not on this machine")
    return path


@pytest.fixture(scope="session")
def traces() -> Iterator[Collector]:
    """What the session's service traced."""
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
    """Skip the tests with the session's service once it did not start: the first of them has failed with its log."""
    if "server" in getattr(item, "fixturenames", ()) and NOT_STARTED in item.config.stash:
        pytest.skip("the session's service did not start")


@pytest.fixture
def lone_port() -> Iterator[int]:
    """A port of this machine on which nobody listens."""
    with reserved_port() as port:
        yield port


@pytest.fixture(scope="session")
def service(server: LiveService) -> Iterator[httpx.Client]:
    """A client of it."""
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
    """Divide the tests among processes (`-n`): those with a service are all in one, and each file's others in any.

    Several processes begin with the services, so that all end at about the same time. A single one ends with them:
    until then none takes its share of the machine.
    """
    several = hasattr(config, "workerinput")

    def order(item: pytest.Item) -> tuple[bool, bool, bool]:
        asks = "server" in getattr(item, "fixturenames", ())
        served = asks or any(mark.args == SERVED.args for mark in item.iter_markers(SERVED.name))
        item.add_marker(SERVED if served else pytest.mark.xdist_group(str(item.path)))
        # The session's service is broken last, and not yet there where a test has its own.
        return served is not several, asks, item.get_closest_marker("faults") is not None

    items.sort(key=order)
