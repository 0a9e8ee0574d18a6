"""`python -m deployments CONFIG`: check a configuration, pull the models it lacks, and serve it.

Does what `serve run CONFIG` does, after four things that Serve leaves out: keys that nobody knows are
refused instead of ignored, missing models are pulled, HOST and PORT are taken from the environment, and
requests travel the shortest way (`deployments.transport`).
"""

import os
import sys
from pathlib import Path

import yaml
from rich.console import Console

from deployments import transport
from models.errors import ModelError
from models.pull import configured, pull
from models.store import Store


def main() -> None:
    """Check, pull and serve the configuration named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m deployments CONFIG")
    mirror = Path(os.environ["MODEL_MIRROR"]) if "MODEL_MIRROR" in os.environ else None
    with transport.set_up() as folder:
        # Only now: Serve reads the environment when it is imported.
        from ray.serve.scripts import cli as serve

        from deployments.config import ConfigError, check, rendered

        served = folder / "serve.yaml"
        try:
            config = yaml.safe_load(Path(sys.argv[1]).read_text("utf-8"))
            for args in check(config):
                pull(configured(args.model_dump()), Store(args.models_dir), mirror, Console())
            served.write_text(yaml.safe_dump(rendered(config), sort_keys=False), "utf-8")
        except (ConfigError, ModelError, OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SystemExit(f"{sys.argv[1]} cannot be served: {error}") from None
        serve(["run", str(served)])


if __name__ == "__main__":
    main()
