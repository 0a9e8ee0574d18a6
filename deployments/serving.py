"""Serving: check a configuration, pull the models it lacks, and run it.

Does what `serve run CONFIG` does, and five things that Serve does not: it checks the machine first
(`deployments.preflight`), refuses unknown keys, pulls missing models, takes HOST and PORT from the environment, and
sets up the fastest transport (`deployments.transport`).
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
    """Serve the configuration in a file until the process ends.

    Raises:
        ConfigError: the configuration is invalid, or one of its models cannot be pulled.
        StartError: something that the service needs is missing or in use.
    """
    mirror = Path(given) if (given := os.environ.get("MODEL_MIRROR")) else None
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
        # Models are pulled through the environment's proxies; calls between replicas must not use them.
        transport.forget_proxies()
        held.enter_context(guarded(folder))
        # Serve reads the environment when it is imported, so not before it is set up.
        from ray.serve.scripts import cli as serve

        serve(["run", str(served)])


def _behind_haproxy(config: Any) -> Any:
    """`config` with the host for the ingress's replicas; HAProxy's own goes into FACEGRAPH_BIND if it differs.

    Serve has one host for both, but HAProxy always reaches the replicas of its machine at 127.0.0.1.
    """
    # Another service's, where this one is started from within it.
    os.environ.pop("FACEGRAPH_BIND", None)
    host = config.get("http_options", {}).get("host", ANYWHERE)
    ours = os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH") == str(transport.HAPROXY)
    enabled = os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1" and os.environ.get("RAY_ADDRESS") == "local"
    if not (ours and enabled) or host in (ANYWHERE, LOOPBACK):
        return config
    os.environ["FACEGRAPH_BIND"] = host
    return config if host == "::" else {**config, "http_options": {**config["http_options"], "host": LOOPBACK}}
