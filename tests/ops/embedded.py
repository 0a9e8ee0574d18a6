"""`python -m tests.ops.embedded` copies configs/production.yaml into the manifest of the RayService."""

import re
from textwrap import indent

from project.root import ROOT

CONFIG = ROOT / "configs" / "production.yaml"
MANIFEST = ROOT / "ops" / "kubernetes" / "base" / "rayservice.yaml"


def written() -> str:
    """The manifest with the configuration as it is now."""
    config = indent(CONFIG.read_text("utf-8"), " " * 4)
    manifest = MANIFEST.read_text("utf-8")
    return re.sub(
        r"(?<=  serveConfigV2: \|\n).*?(?=^  rayClusterConfig:$)", lambda _: config, manifest, flags=re.M | re.S
    )


if __name__ == "__main__":
    MANIFEST.write_text(written(), "utf-8")
