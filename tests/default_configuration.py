"""The configuration that the service has by default."""

import yaml

from graphs.settings import AppArgs
from project.root import ROOT

CONFIG = ROOT / "configs" / "serve.yaml"


def default_args() -> AppArgs:
    """The arguments of the default configuration's application."""
    return AppArgs(**yaml.safe_load(CONFIG.read_text("utf-8"))["applications"][0]["args"])
