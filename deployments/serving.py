"""Serving: check a configuration, pull the models it lacks, and run it.

Does what `serve run CONFIG` does, after five things that Serve leaves out: what could not start is refused
at once (`deployments.preflight`), unknown keys are refused instead of ignored, missing models are pulled, HOST and
PORT are taken from the environment, and requests travel the shortest way (`deployments.transport`).
"""

import os
from contextlib import ExitStack
from pathlib import Path

import yaml
from rich.console import Console

from deployments import transport
from deployments.config import check, read, rendered
from deployments.errors import ConfigError
from deployments.guard import guarded
from deployments.preflight import ready
from models.errors import ModelError
from models.pull import configured, pull
from models.store import Store


def run(path: Path) -> None:
    """Serve the configuration in a file, until the process is told to end.

    Raises:
        ConfigError: it cannot be served, or a model that it names cannot be pulled.
        StartError: something that it needs of this machine is missing or in use.
    """
    mirror = Path(os.environ["MODEL_MIRROR"]) if "MODEL_MIRROR" in os.environ else None
    with ExitStack() as held:
        try:
            config = held.enter_context(ready(rendered(read(path))))
            folder = held.enter_context(transport.set_up())
            for args in check(config):
                pull(configured(args.model_dump()), Store(args.models_dir), mirror, Console())
            served = folder / "serve.yaml"
            served.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        except (ConfigError, ModelError, OSError) as error:
            raise ConfigError(f"{path} cannot be served: {error}") from error
        # The models came through the environment's proxies; the service's own parts need none.
        transport.forget_proxies()
        if config.get("http_options", {}).get("host") == "::":
            # Which Serve makes a star of, for IPv4 alone; see haproxy.sed.
            os.environ.setdefault("FACEGRAPH_BIND", "::")
        held.enter_context(guarded(folder))
        # Only now: Serve reads the environment when it is imported.
        from ray.serve.scripts import cli as serve

        serve(["run", str(served)])
