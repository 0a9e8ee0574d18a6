"""Print the URL of the web UI on the terminal once the service is ready."""

import threading
import time

import httpx
from rich.console import Console

from deployments.address import Address

PERIOD_S = 0.5
"""Interval between checks of the service, in seconds."""
ALL_HOSTS = ("0.0.0.0", "::")  # noqa: S104


def announce(address: Address, console: Console) -> threading.Thread:
    """Wait in a daemon thread until the service at `address` is ready, and print the URL of its web UI."""
    thread = threading.Thread(target=_wait, args=(address, console), name="announcement", daemon=True)
    thread.start()
    return thread


def _wait(address: Address, console: Console) -> None:
    host = "localhost" if address.host in ALL_HOSTS else f"[{address.host}]" if ":" in address.host else address.host
    url, begun = f"http://{host}:{address.port}", time.monotonic()
    with httpx.Client(trust_env=False) as client:
        while not _ready(client, url):
            time.sleep(PERIOD_S)
    console.print(f"[green]ready[/] after {time.monotonic() - begun:.0f} s: open {url}/ui", highlight=False)


def _ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/readyz").is_success
    except httpx.HTTPError:
        return False
