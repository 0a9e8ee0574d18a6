"""The browser for tests of the page: an installed one, or a headless Chromium from the npm registry.

`python -m tests.browser` fetches the latter if none is installed. It is not part of this project.
"""

import os
import platform
import shutil
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import brotli  # type: ignore[import-untyped]

from models.downloads import Downloads
from models.errors import ModelError
from models.sources import NpmSource
from tests.photos import FOLDER as PHOTOS

FOLDER = PHOTOS.with_name("browser")
SOURCE = NpmSource(
    kind="npm",
    package="@sparticuz/chromium",
    version="147.0.2",
    archive_sha256="3abf8e491155e0030d375427f4383a1b363cb1782d0b0ce8545c19b40efb1ba4",
    member="package/bin/",
)
NAMES = ("chromium", "google-chrome", "chromium-browser", "google-chrome-stable")

_DONE = FOLDER / "complete"
# The fonts.conf in the package names paths that do not exist here.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Browser:
    """A Chromium and the environment variables that it needs."""

    executable: Path
    variables: Mapping[str, str] = field(default_factory=dict)


def installed() -> Browser | None:
    """The browser that ``CHROMIUM`` names, or one on the PATH."""
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    return Browser(Path(named)) if named else None


def find() -> Browser | None:
    """The browser to use; None if there is none."""
    if (own := installed()) or not _DONE.exists():
        return own
    variables = {
        "LD_LIBRARY_PATH": str(FOLDER / "al2023" / "lib"),
        "FONTCONFIG_FILE": str(FOLDER / "fonts" / "fonts.conf"),
        "XDG_CACHE_HOME": str(FOLDER / "cache"),
    }
    return Browser(FOLDER / "chromium", variables)


def fetch() -> None:
    """Unpack the browser into `FOLDER`, unless it is there.

    Raises:
        ModelError: it cannot be fetched.
    """
    if _DONE.exists():
        return
    print("fetching a headless Chromium: 65 MB")
    downloads = Downloads(FOLDER / ".downloads", lambda *_: None)
    with tarfile.open(downloads.get(SOURCE)) as archive:
        for member in archive:
            if not member.name.startswith(SOURCE.member):
                continue
            packed = Path(member.name)
            content = archive.extractfile(member)
            assert content is not None
            unpacked, decompressor = FOLDER / packed.stem, brotli.Decompressor()
            with unpacked.open("wb") as file:
                while piece := content.read(1 << 20):
                    file.write(decompressor.process(piece))
            if unpacked.suffix == ".tar":
                with tarfile.open(unpacked) as inner:
                    inner.extractall(unpacked.with_suffix(""), filter="data")
                unpacked.unlink()
    (FOLDER / "fonts" / "fonts.conf").write_text(_FONTS, "utf-8")
    (FOLDER / "chromium").chmod(0o755)
    downloads.clear()
    _DONE.touch()


def main() -> None:
    """Fetch the browser unless one is installed, and print which one there is."""
    why = "install Chromium"
    if not installed() and (sys.platform, platform.machine()) == ("linux", "x86_64"):
        try:
            fetch()
        except ModelError as error:
            why = str(error)
    found = find()
    print(f"ready  {found.executable}" if found else f"none  the tests of the page are skipped: {why}")


if __name__ == "__main__":
    main()
