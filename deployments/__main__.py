"""`python -m deployments CONFIG`: check a configuration, then serve it.

Does what `serve run CONFIG` does, after three things that Serve leaves out: keys that nobody knows
are refused instead of ignored, missing models are named before anything starts, and HOST and PORT
are taken from the environment.
"""

import os
import sys
from pathlib import Path

import yaml

from deployments.config import ConfigError, check, rendered
from graphs.settings import ROOT
from models.errors import ModelError

SERVED = ROOT / "data" / "serve.yaml"


def main() -> None:
    """Check and serve the configuration named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m deployments CONFIG")
    try:
        config = yaml.safe_load(Path(sys.argv[1]).read_text("utf-8"))
        check(config)
        SERVED.parent.mkdir(exist_ok=True)
        SERVED.write_text(yaml.safe_dump(rendered(config), sort_keys=False), "utf-8")
    except (ConfigError, ModelError, OSError, yaml.YAMLError) as error:
        raise SystemExit(f"{sys.argv[1]} cannot be served: {error}") from None
    # Ray starts its workers at niceness 15, and whatever else runs on the machine then runs before them.
    os.environ.setdefault("RAY_worker_niceness", "0")
    serve = str(Path(sys.executable).with_name("serve"))
    os.execv(serve, [serve, "run", str(SERVED)])


if __name__ == "__main__":
    main()
