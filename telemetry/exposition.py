"""The metrics of the whole cluster, as the ingress gives them at /metrics.

Every node's agent has those of the replicas on its node. They are fetched side by side and joined, families of this
product and of Ray Serve alone. Of Serve's the histograms are left out, four fifths of all: this product's own tell as
much of its requests and calls.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import ray

logger = logging.getLogger("ray.serve")

AGENT_TIMEOUT_S = 2.0
OURS, SERVES = "ray_facegraph_", "ray_serve_"
"""How the names of the families begin that are given."""
UP = "facegraph_metrics_agent_up"


async def exposition() -> str:
    """What the agents of all living nodes have, in Prometheus's text format.

    Where an agent does not answer in time, its `UP` is 0 and the others' metrics are given.
    """
    # A question to Ray's global store, which blocks.
    nodes = await asyncio.to_thread(ray.nodes)
    alive: Sequence[Mapping[str, Any]] = [node for node in nodes if node["Alive"]]
    async with httpx.AsyncClient(timeout=AGENT_TIMEOUT_S, trust_env=False) as client:
        texts = await asyncio.gather(*(_agent(client, node) for node in alive))
    told = {node["NodeID"]: text for node, text in zip(alive, texts, strict=True)}
    ups = [f'{UP}{{node="{node}"}} {int(text is not None)}' for node, text in told.items()]
    head = [f"# HELP {UP} Whether a node's metrics agent answered, whose metrics are missing otherwise."]
    return "\n".join([*head, f"# TYPE {UP} gauge", *ups, *joined([text for text in texts if text is not None]), ""])


async def _agent(client: httpx.AsyncClient, node: Mapping[str, Any]) -> str | None:
    address = f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
    try:
        async with asyncio.timeout(AGENT_TIMEOUT_S):
            response = await client.get(f"http://{address}/metrics")
        return response.raise_for_status().text
    except (httpx.HTTPError, TimeoutError) as error:
        logger.warning("the metrics agent at %s does not answer: %r", address, error)
        return None


def joined(texts: Sequence[str]) -> list[str]:
    """The lines of several expositions as those of one: each family once, with the samples of all of them."""
    families: dict[str, tuple[str, list[str]]] = {}
    for text in texts:
        comment, samples = "", list[str]()
        for line in text.splitlines():
            # The format has a family's help, its type and its samples, in this order.
            if line.startswith("# HELP "):
                comment, samples = line, []
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                if name.startswith(OURS) or (name.startswith(SERVES) and kind != "histogram"):
                    samples = families.setdefault(name, (f"{comment}\n{line}", []))[1]
            else:
                samples.append(line)
    return [line for comments, samples in families.values() for line in (comments, *samples)]
