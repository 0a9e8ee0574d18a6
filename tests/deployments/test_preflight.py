"""Checks of the machine before Ray starts on it."""

import fcntl
import os
import re
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
from gallery.storage.disk import LOCK
from project.root import ROOT
from tests.default_configuration import default_args
from tests.deployments.conftest import refusal

STORE = "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES"

pytestmark = pytest.mark.usefixtures("clean_environment")


def config(gallery: Path, port: int) -> dict[str, Any]:
    """The parts of a configuration that are checked."""
    http = {"host": "localhost", "port": port}
    return {"http_options": http, "applications": [{"args": {"gallery": {"uri": str(gallery)}}}]}


def test_address_and_gallery_are_reserved(tmp_path: Path, lone_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with reserved_port() as another:
        first, second = config(tmp_path / "one", lone_port), config(tmp_path / "two", another)
    monkeypatch.setattr(preflight, "RELEASE_WAIT_S", 0)
    with preflight.ready(first) as served:
        assert served == {**first, "http_options": {**first["http_options"], "host": "127.0.0.1"}}
        assert "is in use by" in refusal(preflight.ready({**first, "applications": []}))
        assert refusal(preflight.ready({**first, "http_options": second["http_options"]})) == (
            f"another process serves the gallery at {tmp_path / 'one'}: stop it, or set GALLERY_URI to another folder"
        )
        with preflight.ready(second):
            pass
        # The service's own writer locks the gallery.
        with (tmp_path / "one" / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with preflight.ready(first):
        pass


def test_unusable_gallery_is_refused(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process writes to the gallery at" in refusal(preflight.gallery(tmp_path, 0))
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "gallery"
    assert refusal(preflight.gallery(folder, 0)) == (
        f"cannot write to the gallery at {folder}: Not a directory; set GALLERY_URI to another folder"
    )


def test_an_object_store_must_respond(tmp_path: Path, lone_port: int) -> None:
    options = {"endpoint": "http://127.0.0.1:1", "allow_http": "true", "access_key_id": "a", "secret_access_key": "b"}
    args = {"gallery": {"uri": "s3://bucket/gallery", "storage_options": options}}
    refused = refusal(preflight.ready({**config(tmp_path, lone_port), "applications": [{"args": args}]}))
    # Which of the two problems is reported depends on the speed of the machine.
    assert re.match("the gallery's object store (cannot be reached|does not respond): correct GALLERY_URI", refused)


def test_the_key_of_an_operator_must_be_readable(tmp_path: Path, lone_port: int) -> None:
    pytest.importorskip("cryptography")
    pytest.importorskip("botocore")
    file = tmp_path / "operator.key"
    args = {"access": {"rekognition_key_file": str(file)}}
    keyed = {**config(tmp_path, lone_port), "applications": [{"args": args}]}
    assert f"the operator's key in {file} cannot be read: No such file" in refusal(preflight.ready(keyed))
    file.write_text("short")
    assert f"{file} must contain 32 bytes in base64" in refusal(preflight.ready(keyed))


def test_applications_cannot_share_a_gallery(tmp_path: Path, lone_port: int) -> None:
    one, two = config(tmp_path, lone_port), config(tmp_path / ".", lone_port)
    both = {**one, "applications": one["applications"] + two["applications"]}
    with pytest.raises(ConfigError, match="two applications use the gallery at"), preflight.ready(both):
        pass


@pytest.mark.parametrize("applications", [None, "a", {"a": "b"}, [5], [{"args": None}]])
def test_malformed_applications_are_left_to_the_configuration_check(applications: object, lone_port: int) -> None:
    served = {"http_options": {"host": "127.0.0.1", "port": lone_port}, "applications": applications}
    with preflight.ready(served) as checked:
        assert checked == served


def test_machine_is_not_checked_for_a_running_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "has_own_cluster", lambda: False)
    os.environ["TMPDIR"] = "/etc/passwd"
    with preflight.ready(config(tmp_path, 1)) as served:
        assert served == config(tmp_path, 1)


@pytest.mark.parametrize("hard", [preflight.MIN_FILES, 1024, resource.RLIM_INFINITY])
def test_limit_of_open_files_is_raised_or_too_low(hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    preflight.open_files()
    assert limits == [(hard if hard > 0 else preflight.MAX_FILES, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 128))
    with pytest.raises(StartError, match=r"the open-file limit is 128, .* raise `ulimit -Hn`"):
        preflight.open_files()


@pytest.mark.parametrize(
    ("given", "chosen", "tmpdir_after"),
    [
        ({}, "/tmp", None),
        ({"TMPDIR": "FIT"}, "FIT", "FIT"),
        ({"TMPDIR": "LONG"}, "/tmp", "/tmp"),
        ({"RAY_TMPDIR": "FIT", "TMPDIR": "LONG"}, "FIT", "/tmp"),
    ],
)
def test_temporary_folder_is_short_enough_for_sockets(
    given: dict[str, str], chosen: str, tmpdir_after: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {"FIT": str(tmp_path), "LONG": f"{tmp_path}x", "/tmp": "/tmp"}
    monkeypatch.setattr(preflight, "LONGEST_FOLDER", len(str(tmp_path)))
    os.environ.update({name: folders[folder] for name, folder in given.items()})
    assert str(preflight.temporary_folder()) == os.environ["RAY_TMPDIR"] == folders[chosen]
    assert os.environ.get("TMPDIR") == (folders[tmpdir_after] if tmpdir_after else None)


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        ("RAY_TMPDIR", "/" + "x" * 100, "^RAY_TMPDIR is too long"),
        ("TMPDIR", "/etc/passwd", "^cannot write to /etc/passwd, .*: set TMPDIR to a writable folder"),
        ("RAY_TMPDIR", "/tmp", "has only 1 MiB free, .*: free some space, or set RAY_TMPDIR"),
    ],
)
def test_unusable_temporary_folder_is_refused(
    name: str, folder: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.environ[name] = folder
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(StartError, match=message):
        preflight.temporary_folder()


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the user may not enter, even if the tests run as root."""
    folder, stat, access = tmp_path / "closed", os.stat, os.access

    def refuse(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(f"{folder}/"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **options)

    folder.mkdir()
    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder and access(path, mode))
    return folder


@pytest.mark.parametrize(("free", "most"), [(2**33, 2**33 * 95 // 100), (2**26, preflight.MIN_STORE)])
def test_object_store_fits_into_shared_memory(
    free: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    preflight.object_store(tmp_path)
    assert os.environ[STORE] == str(most)
    with pytest.raises(StartError, match="mount a tmpfs there"):
        preflight.object_store(tmp_path / "shm")


def test_token_is_made_only_without_a_usable_home(
    tmp_path: Path, closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    preflight.token()
    assert "RAY_AUTH_TOKEN" not in os.environ
    (tmp_path / "file").touch()

    def missing() -> Path:
        raise RuntimeError

    tokens = set[str]()
    for home in (lambda: tmp_path / "file", lambda: closed, missing):
        monkeypatch.setattr(Path, "home", home)
        preflight.token()
        tokens.add(os.environ.pop("RAY_AUTH_TOKEN"))
    assert [len(token) for token in tokens] == [64] * 3


def test_named_token_file_must_be_readable(tmp_path: Path) -> None:
    missing, empty, token = (tmp_path / name for name in ("missing", "empty", "token"))
    empty.touch()
    for path in (missing, empty, tmp_path):
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(path)
        with pytest.raises(StartError, match=r"no token can be read from .* \(RAY_AUTH_TOKEN_PATH\)"):
            preflight.token()
    token.write_text("secret", "utf-8")
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)
    preflight.token()
    assert "RAY_AUTH_TOKEN" not in os.environ


@pytest.mark.parametrize("name", ["FACEGRAPH_HAPROXY", "RAY_SERVE_HAPROXY_BINARY_PATH"])
def test_named_haproxy_must_be_a_program(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("sh", ""):
        monkeypatch.setenv(name, path)
        preflight.haproxy()
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "")
    for path in ("missing", str(tmp_path)):
        monkeypatch.setenv(name, path)
        with pytest.raises(StartError, match=f"{name} is '{path}', which is not a program"):
            preflight.haproxy()
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "0")
    preflight.haproxy()


def test_stages_must_fit_the_cores() -> None:
    # Each application needs one and a half cores.
    twice = [default_args()] * 2
    preflight.fit_cores(twice, 3)
    with pytest.raises(StartError, match=r"one replica of each stage needs 3 cores, but Ray has 2: serve"):
        preflight.fit_cores(twice, 2)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 8), ("150000 100000", 1), ("50000 100000", 0), ("9900000 100000", 8), ("", 8)]
)
def test_cores_are_limited_by_the_containers_quota(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    (tmp_path / "cpu.max").write_text(quota)
    assert preflight.rays_cores(tmp_path / "cpu.max") == cores
    assert preflight.rays_cores(tmp_path / "none") == 8


def test_refused_start_prints_one_sentence_without_importing_ray() -> None:
    program = """
import atexit, sys
from facegraph.cli import main
atexit.register(lambda: print("ray" in sys.modules))
main()
"""
    environment = {**os.environ, "HOST": "192.0.2.99", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, "serve"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "False\n")
    assert done.stderr == "error 192.0.2.99 is not an address of this machine: set HOST to one that is\n"
