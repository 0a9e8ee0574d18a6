"""What docs/cli.md shows is run, as it stands there."""

from pathlib import Path

import httpx

from tests.conftest import PROJECT
from tests.docs.snippets import run


def test_the_tour_of_the_command(
    service: httpx.Client, tmp_path: Path, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    photos: dict[str, bytes | Path] = {"people/mindy/1.jpg": mindy, "people/jerry/1.jpg": jerry}
    probes = {"somebody.jpg": mindy_again, "one.jpg": mindy, "other.jpg": mindy_again}
    run(PROJECT / "docs" / "cli.md", str(service.base_url), tmp_path, {**photos, **probes})
    service.delete("/v1/collections/staff", params={"with_faces": True}).raise_for_status()
