"""What a machine must offer before Ray is started on it."""

import fcntl
import math
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployments import preflight
from deployments.address import reserved_port
from deployments.errors import ConfigError, StartError
from gallery.disk import LOCK
from load_tests.routes import configured
from tests.conftest import PROJECT

NAMES = (
    "RAY_ADDRESS",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN",
    "RAY_AUTH_TOKEN_PATH",
    "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES",
    "RAY_TMPDIR",
    "TMPDIR",
    "HOST",
    "PORT",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set is forgotten after the test."""
    for name in NAMES:
        monkeypatch.setenv(name, "to be forgotten")
        monkeypatch.delenv(name)


def config(gallery: Path, port: int) -> dict[str, Any]:
    """A configuration as far as it matters here."""
    http = {"host": "localhost", "port": port}
    return {"http_options": http, "applications": [{"args": {"gallery": {"uri": str(gallery)}}}]}


def test_a_second_start_on_the_port_or_the_gallery_of_the_first_is_refused(tmp_path: Path, lone_port: int) -> None:
    with reserved_port() as another:
        first, second = config(tmp_path / "one", lone_port), config(tmp_path / "two", another)
    with preflight.ready(first) as served:
        assert served == {**first, "http_options": {**first["http_options"], "host": "127.0.0.1"}}
        with pytest.raises(StartError, match="is taken by"), preflight.ready({**first, "applications": []}):
            pass
        with pytest.raises(StartError) as caught, preflight.ready({**first, "http_options": second["http_options"]}):
            pass
        with preflight.ready(second):
            pass
    assert str(caught.value) == (
        f"another process serves the gallery at {tmp_path / 'one'}: end it, or set GALLERY_URI to another folder"
    )
    with preflight.ready(first):
        pass


def test_a_gallery_that_somebody_writes_to_or_nobody_could_is_refused(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (
            pytest.raises(StartError, match="another process writes to the gallery at"),
            preflight.gallery(tmp_path, 0),
        ):
            pass
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "gallery"
    with pytest.raises(StartError) as caught, preflight.gallery(folder, 0):
        pass
    assert str(caught.value) == (
        f"the gallery at {folder} cannot be written to: Not a directory; set GALLERY_URI to another folder"
    )


def test_two_applications_cannot_share_a_gallery(tmp_path: Path, lone_port: int) -> None:
    one, two = config(tmp_path, lone_port), config(tmp_path / ".", lone_port)
    both = {**one, "applications": one["applications"] + two["applications"]}
    with pytest.raises(ConfigError, match="two applications share the gallery at"), preflight.ready(both):
        pass


def test_the_writer_of_the_service_itself_is_let_in(tmp_path: Path) -> None:
    with preflight.gallery(tmp_path, 0), (tmp_path / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_on_a_cluster_that_runs_already_nothing_of_this_machine_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lone_port: int
) -> None:
    monkeypatch.setattr(preflight, "has_own_cluster", lambda: False)
    monkeypatch.setenv("TMPDIR", "/etc/passwd")
    with preflight.ready(config(tmp_path, lone_port)) as served:
        assert served == config(tmp_path, lone_port)


@pytest.mark.parametrize("hard", [preflight.LEAST_FILES, 1024, resource.RLIM_INFINITY])
def test_a_process_may_open_as_many_files_as_the_system_lets_it(hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    preflight.open_files()
    assert set_to == [(hard if hard > 0 else preflight.MOST_FILES, hard)]


def test_too_few_open_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 128))
    with pytest.raises(StartError, match=r"a process may open 128 files, .* raise `ulimit -Hn`"):
        preflight.open_files()


def test_rays_sockets_fit_into_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflight.temporary_folder() == Path("/tmp")
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setattr(preflight, "LONGEST_FOLDER", len(str(tmp_path)))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert preflight.temporary_folder() == tmp_path
    assert os.environ["RAY_TMPDIR"] == str(tmp_path)
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setenv("TMPDIR", f"{tmp_path}x")
    assert preflight.temporary_folder() == Path("/tmp")
    assert os.environ["TMPDIR"] == "/tmp"
    monkeypatch.setenv("TMPDIR", f"{tmp_path}x")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert preflight.temporary_folder() == tmp_path
    assert os.environ["TMPDIR"] == str(tmp_path)
    monkeypatch.setenv("RAY_TMPDIR", f"{tmp_path}x")
    with pytest.raises(StartError, match="RAY_TMPDIR is longer than"):
        preflight.temporary_folder()


def test_haproxy_would_read_a_temporary_folder_as_two_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/tmp/a b")
    assert preflight.temporary_folder() == Path("/tmp")
    assert os.environ["TMPDIR"] == "/tmp"
    monkeypatch.setenv("TMPDIR", "/tmp/a b")
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/a b")
    assert preflight.temporary_folder() == Path("/tmp/a b")
    assert os.environ["TMPDIR"] == "/tmp"


def test_a_temporary_folder_that_cannot_be_used_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/etc/passwd")
    with pytest.raises(StartError, match=r"^/etc/passwd cannot be written to, .*: set TMPDIR to a folder"):
        preflight.temporary_folder()
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(StartError, match=r"has 1 MiB free, .*: make room, or set RAY_TMPDIR"):
        preflight.temporary_folder()


@pytest.mark.parametrize(("free", "most"), [(2**33, 2**33 * 95 // 100), (2**26, preflight.LEAST_STORE)])
def test_the_object_store_fits_into_shared_memory(
    free: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    preflight.object_store(tmp_path)
    assert os.environ["RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES"] == str(most)


def test_without_shared_memory_there_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="mount a tmpfs on it"):
        preflight.object_store(tmp_path / "shm")


def test_whoever_has_no_home_gets_a_token_for_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    preflight.token()
    assert "RAY_AUTH_TOKEN" not in os.environ
    (tmp_path / "file").touch()
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "file")
    preflight.token()
    first = os.environ.pop("RAY_AUTH_TOKEN")

    def nobody() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nobody)
    preflight.token()
    assert len(first) == len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert first != os.environ["RAY_AUTH_TOKEN"]


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of somebody else's that this user may not enter, as /root; whoever runs the tests may be root."""
    folder, stat, access = tmp_path / "closed", os.stat, os.access

    def refuse(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(f"{folder}/"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **options)

    folder.mkdir()
    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder and access(path, mode))
    return folder


def test_a_home_that_may_not_be_entered_is_none(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: closed)
    preflight.token()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_a_temporary_folder_that_may_not_be_entered_is_refused_by_its_variable(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "LONGEST_FOLDER", 200)
    monkeypatch.setenv("RAY_TMPDIR", str(closed / "tmp"))
    with pytest.raises(StartError, match=rf"^{closed} cannot be written to, .*: set RAY_TMPDIR to a folder"):
        preflight.temporary_folder()


@pytest.mark.parametrize("applications", [None, 5, True, "a", {"a": "b"}, [5], [{"args": None}]])
def test_malformed_applications_are_left_to_the_configurations_check(applications: object, lone_port: int) -> None:
    served = {"http_options": {"host": "127.0.0.1", "port": lone_port}, "applications": applications}
    with preflight.ready(served) as config:
        assert config == served


def test_a_token_that_is_named_is_taken_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(StartError, match=r"RAY_AUTH_TOKEN_PATH is .*, which cannot be read"):
        preflight.token()
    (tmp_path / "token").touch()
    preflight.token()
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_a_refused_start_is_one_sentence_and_never_waits_for_ray() -> None:
    program = """
import sys
from facegraph.cli import main
try:
    main()
finally:
    print(any(name == "ray" or name.startswith("ray.") for name in sys.modules))
"""
    environment = {**os.environ, "HOST": "192.0.2.99", "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", program, "serve"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "False\n")
    assert done.stderr == "error 192.0.2.99 is not an address of this machine: set HOST to one that is\n"


def test_a_configuration_that_ray_has_no_room_for_is_refused() -> None:
    args = configured()
    preflight.fit_cores([args], math.ceil(args.cpus))
    with pytest.raises(StartError, match=r"Ray has 1 of the .* cores that one replica of each stage reserves: serve"):
        preflight.fit_cores([args], 1)
    with pytest.raises(StartError):
        preflight.fit_cores([args, args], math.ceil(args.cpus))


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 8), ("150000 100000", 1), ("50000 100000", 0), ("9900000 100000", 8), ("", 8)]
)
def test_ray_finds_what_a_container_may_use(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    (tmp_path / "cpu.max").write_text(quota)
    assert preflight.rays_cores(tmp_path / "cpu.max") == cores
    assert preflight.rays_cores(tmp_path / "none") == 8
