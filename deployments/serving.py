"""Check a configuration, pull missing models, and serve it.

Does the same as `serve run CONFIG`, and also checks the machine (`deployments.preflight`), rejects unknown keys, pulls
missing models, applies HOST and PORT, and sets up a faster transport (`deployments.transport`).
"""

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from deployments import transport
from deployments.address import Address
from deployments.announcement import announce
from deployments.config import check_config, read_config, rendered
from deployments.errors import ConfigError, StartError
from deployments.guard import guarded
from deployments.preflight import fit_cores, rays_cores, ready
from models.errors import ModelError
from models.pull import configured, pull
from models.store import Store

ANYWHERE, LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104


def run(path: Path) -> None:
    """Serve the configuration in a file until the process is stopped.

    Raises:
        ConfigError: the configuration is not valid, or a model cannot be pulled.
        StartError: something that the service needs is missing or in use.
    """
    mirror = Path(name) if (name := os.environ.get("MODEL_MIRROR")) else None
    with ExitStack() as held:
        try:
            config = held.enter_context(ready(rendered(read_config(path))))
            folder = held.enter_context(transport.set_up())
            applications = check_config(config)
            if os.environ.get("RAY_ADDRESS") == "local":
                fit_cores(applications, rays_cores())
            for args in applications:
                pull(configured(args.model_dump()), Store(args.models_dir), mirror, Console())
            served = folder / "serve.yaml"
            served.write_text(yaml.safe_dump(_behind_haproxy(config), sort_keys=False), "utf-8")
        except (ConfigError, ModelError, OSError) as error:
            raise ConfigError(f"{path} cannot be served: {error}") from error
        # Models are pulled through the environment's proxies, but calls between replicas must not use them.
        transport.forget_proxies()
        held.enter_context(guarded(folder))
        announce(Address.of(config), Console())
        # Imported here, because Serve reads the environment when it is imported.
        import ray
        from ray.serve.scripts import cli as serve

        try:
            ray.init(namespace="serve")
        except Exception as error:
            # Ray raises bare exceptions, for example if its processes take longer than it waits for them.
            raise StartError(f"Ray did not start: {error}") from error
        # Ray has set a handler that aborts the process. Serve shuts down in order after a KeyboardInterrupt.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        serve(["run", "--address", "auto", str(served)])


def _behind_haproxy(config: Any) -> Any:
    """Return `config` with the host that the ingress replicas listen on, and set FACEGRAPH_BIND to HAProxy's host.

    Serve has one setting for both hosts, but HAProxy always reaches the replicas on its machine at 127.0.0.1.
    """
    ours = os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH") == str(transport.HAPROXY)
    enabled = os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1" and os.environ.get("RAY_ADDRESS") == "local"
    if not (ours and enabled):
        return config
    options = config.get("http_options", {})
    os.environ["FACEGRAPH_BIND"] = host = options.get("host", ANYWHERE)
    return config if host in (ANYWHERE, "::") else {**config, "http_options": {**options, "host": LOOPBACK}}
