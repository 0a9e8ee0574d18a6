"""Serving: check a configuration, pull the models it lacks, and run it.

Does what `serve run CONFIG` does, after five things that Serve leaves out: what could not start is refused
at once (`deployments.preflight`), unknown keys are refused instead of ignored, missing models are pulled, HOST and
PORT are taken from the environment, and requests travel the shortest way (`deployments.transport`).
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from deployments import transport
from deployments.config import check, read, rendered
from deployments.errors import ConfigError
from deployments.guard import guarded
from deployments.preflight import fit_cores, rays_cores, ready
from models.errors import ModelError
from models.pull import configured, pull
from models.store import Store

ANYWHERE, LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104


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
            applications = check(config)
            if os.environ.get("RAY_ADDRESS") == "local":
                fit_cores(applications, rays_cores())
            for args in applications:
                pull(configured(args.model_dump()), Store(args.models_dir), mirror, Console())
            served = folder / "serve.yaml"
            served.write_text(yaml.safe_dump(_behind_haproxy(config), sort_keys=False), "utf-8")
        except (ConfigError, ModelError, OSError) as error:
            raise ConfigError(f"{path} cannot be served: {error}") from error
        # The models came through the environment's proxies; the service's own parts need none.
        transport.forget_proxies()
        held.enter_context(guarded(folder))
        # Only now: Serve reads the environment when it is imported.
        from ray.serve.scripts import cli as serve

        serve(["run", str(served)])


def _behind_haproxy(config: Any) -> Any:
    """`config` with the host of the ingress's replicas, and in the environment the one of HAProxy where they differ.

    HAProxy asks replicas on its machine at 127.0.0.1, wherever it listens itself.
    """
    host = config.get("http_options", {}).get("host", ANYWHERE)
    ours = os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH") == str(transport.HAPROXY)
    enabled = os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1" and os.environ.get("RAY_ADDRESS") == "local"
    if not (ours and enabled) or host in (ANYWHERE, LOOPBACK):
        return config
    os.environ["FACEGRAPH_BIND"] = host
    return config if host == "::" else {**config, "http_options": {**config["http_options"], "host": LOOPBACK}}
