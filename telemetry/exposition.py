"""The metrics of the whole cluster, as the ingress serves them at /metrics.

Each node's Ray agent exports the metrics of its replicas. They are fetched concurrently and merged; only facegraph's
and Ray Serve's metric families are kept. Serve's histograms make up four fifths of the text and add nothing to
facegraph's own, so they are dropped.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import ray

logger = logging.getLogger("ray.serve")

AGENT_TIMEOUT_S = 2.0
OWN_PREFIX, SERVE_PREFIX = "ray_facegraph_", "ray_serve_"
"""Prefixes of the families that are kept."""
UP = "facegraph_metrics_agent_up"


async def exposition() -> str:
    """Return the metrics of all live nodes, in Prometheus's text format.

    If an agent does not respond in time, its `UP` is 0 and the other nodes' metrics are still returned.
    """
    # In a thread, because this call to Ray's global store blocks.
    nodes = await asyncio.to_thread(ray.nodes)
    alive: Sequence[Mapping[str, Any]] = [node for node in nodes if node["Alive"]]
    async with httpx.AsyncClient(timeout=AGENT_TIMEOUT_S, trust_env=False) as client:
        texts = await asyncio.gather(*(_agent_metrics(client, node) for node in alive))
    ups = [f'{UP}{{node="{node["NodeID"]}"}} {int(text is not None)}' for node, text in zip(alive, texts, strict=True)]
    head = [f"# HELP {UP} Whether the node's metrics agent responded. If 0, its metrics are missing."]
    return "\n".join([*head, f"# TYPE {UP} gauge", *ups, *merged([text for text in texts if text is not None]), ""])


async def _agent_metrics(client: httpx.AsyncClient, node: Mapping[str, Any]) -> str | None:
    address = f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
    try:
        async with asyncio.timeout(AGENT_TIMEOUT_S):
            response = await client.get(f"http://{address}/metrics")
        return response.raise_for_status().text
    except (httpx.HTTPError, TimeoutError) as error:
        logger.warning("the metrics agent at %s is not responding: %r", address, error)
        return None


def merged(texts: Sequence[str]) -> list[str]:
    """Merge several expositions into one: each family once, with the samples of all texts."""
    families: dict[str, tuple[str, list[str]]] = {}
    for text in texts:
        comment, samples = "", list[str]()
        for line in text.splitlines():
            # A family is its help, its type and its samples, in this order.
            if line.startswith("# HELP "):
                comment, samples = line, []
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                if name.startswith(OWN_PREFIX) or (name.startswith(SERVE_PREFIX) and kind != "histogram"):
                    samples = families.setdefault(name, (f"{comment}\n{line}", []))[1]
            else:
                samples.append(line)
    return [line for comments, samples in families.values() for line in (comments, *samples)]
