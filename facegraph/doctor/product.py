"""Checks of the service's models, its keys, Ray's token, and a running service."""

import os
import stat
from pathlib import Path

from access.keys import KeysError, read
from access.settings import AccessArgs
from facegraph.client import Client, FacegraphError
from facegraph.doctor import Finding
from graphs.settings import AppArgs
from models.catalogue import networks_of
from models.store import Store


def models(args: AppArgs) -> list[Finding]:
    """Check the files of every configured model."""
    store, found = Store(args.models_dir), []
    networks = {each.name: each for stage in args.stages.values() for each in networks_of(stage.card)}
    for name, network in networks.items():
        problems = store.problems(network)
        if not problems:
            found.append(Finding("ok", f"all files of the model {name} are intact"))
        elif not store.folder(network).exists():
            found.append(Finding("warning", f"the model {name} is not pulled", store.pull_command(name)))
        else:
            found.append(Finding("problem", f"the model {name}: {problems[0]}", store.pull_command(name)))
    return found


def keys(args: AccessArgs) -> Finding:
    """Check that API keys are required, and that only the owner can read their file."""
    path = args.keys_file
    try:
        known = read(path)
    except KeysError as error:
        return Finding("problem" if args.require_keys else "warning", str(error), f"ls -l {path}")
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Finding("warning", f"other users can read the key file {path}", f"chmod 600 {path}")
    if not args.require_keys:
        return Finding(
            "warning", "no API key is required: anyone who can reach the service can use it", "export REQUIRE_KEYS=true"
        )
    if not known:
        return Finding("problem", "API keys are required, but none exists", "facegraph keys create NAME --scope read")
    return Finding("ok", f"API keys are required; number of keys: {len(known)}")


def ray_token(token: Path | None) -> Finding:
    """Check that other users cannot control Ray: its token is required and only the owner can read it."""
    if os.environ.get("RAY_AUTH_MODE") == "disabled":
        what = "RAY_AUTH_MODE is disabled: anyone who can reach Ray's ports can run code as the service"
        return Finding("warning", what, "unset RAY_AUTH_MODE")
    if token is None:
        return Finding("ok", "no home folder: Ray creates a token on each run")
    if not token.exists():
        return Finding("ok", "no Ray token yet: the first run creates one")
    folder, home, *_ = token.parents
    if token.stat().st_mode & 0o044 and folder.stat().st_mode & 0o011 and home.stat().st_mode & 0o011:
        return Finding(
            "problem", f"other users can read Ray's token {token} and run code as the service", f"chmod 600 {token}"
        )
    return Finding("ok", f"only the owner can read Ray's token {token}")


def service(url: str, api_key: str | None) -> tuple[Finding, bool]:
    """Check the health of the service at `url`; also return whether there is one."""
    try:
        with Client(url, api_key, retries=0, timeout=10) as client:
            health = client.health()
    except FacegraphError as error:
        return Finding("ok", f"no service at {url} ({error})", "facegraph serve"), False
    if health.status == "healthy":
        return Finding("ok", f"the service at {url} is healthy, version {health.version}"), True
    failing = [role for role, ready in health.models.items() if not ready]
    failing += [] if health.database_connected else ["the gallery"]
    failing += [f"unreadable collections ({health.unreadable_collections})"] if health.unreadable_collections else []
    what = f"the service at {url} is {health.status}: {', '.join(failing)}"
    return Finding("problem", what, f"curl {url}/health"), True
