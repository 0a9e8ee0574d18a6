"""Replace PReLUs by operators that ONNX Runtime runs in its fast layout.

On a CPU, ONNX Runtime runs convolutions on channels in blocks. It has no PReLU for that layout, so it converts the data
before and after each PReLU, which takes longer than the convolutions of a small network. It does have all operators of
the equivalent expression slope * x + (1 - slope) * max(x, 0), and turns most of its products into depthwise
convolutions. Less data is then converted, and results differ only by rounding. Times: docs/performance.md.
"""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

Consumers = Mapping[str, list[NodeProto]]
"""The nodes that read each value, by its name."""


def with_split_prelus(model: ModelProto) -> ModelProto:
    """Rewrite every PReLU over channels in `model`, whether it is one operator or the five that TFLite uses.

    Other PReLUs, such as those after a fully connected layer, stay.
    """
    graph = model.graph
    constants = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    nodes = list(graph.node)
    replaced: set[int] = set()
    consumers: dict[str, list[NodeProto]] = defaultdict(list)
    for node in nodes:
        for name in node.input:
            consumers[name].append(node)
    for entry in graph.output:
        # An output is also read by the caller.
        consumers[entry.name].append(NodeProto())
    rewritten: list[NodeProto] = []
    for node in nodes:
        found = _prelu(node, constants) or _spelt_out(node, consumers, constants)
        if found is None:
            rewritten.append(node)
            continue
        parts, slopes, output = found
        replaced.update(id(part) for part in parts)
        rewritten += _split(graph, node.input[0], output, slopes)
    del graph.node[:]
    graph.node.extend(node for node in rewritten if id(node) not in replaced)
    del graph.value_info[:]
    used = {name for node in graph.node for name in node.input}
    kept = [entry for entry in graph.initializer if entry.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


FoundPrelu = tuple[list[NodeProto], NDArray[np.float32], str]
"""The nodes of a PReLU, its slopes, float32 (channels), and the name of its output."""


def _prelu(node: NodeProto, constants: Mapping[str, NDArray[np.float32]]) -> FoundPrelu | None:
    if node.op_type != "PRelu" or node.input[1] not in constants:
        return None
    slopes = _over_channels(constants[node.input[1]])
    return None if slopes is None else ([node], slopes, node.output[0])


def _spelt_out(
    node: NodeProto, consumers: Consumers, constants: Mapping[str, NDArray[np.float32]]
) -> FoundPrelu | None:
    """Find max(x, 0) + c * (x - abs(x)), a PReLU with slope 2c, starting from its Relu."""
    if node.op_type != "Relu":
        return None
    for absolute in consumers[node.input[0]]:
        if absolute.op_type != "Abs":
            continue
        chain = [node, absolute]
        for kind in ("Sub", "Mul", "Add"):
            following = consumers[chain[-1].output[0]]
            if len(following) != 1 or following[0].op_type != kind:
                return None
            chain.append(following[0])
        _, _, difference, product, total = chain
        factor = next((constants[name] for name in product.input if name in constants), None)
        slopes = None if factor is None else _over_channels(2 * factor)
        if slopes is None or list(difference.input) != [node.input[0], absolute.output[0]]:
            return None
        if node.output[0] in total.input and len(consumers[node.output[0]]) == 1:
            return chain, slopes, total.output[0]
    return None


def _over_channels(slopes: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Flatten slopes of shape (channels, 1, 1). None for other shapes, and if all channels share one slope."""
    return slopes.ravel() if slopes.ndim >= 3 and slopes.shape[-3] == slopes.size > 1 else None


def _split(graph: GraphProto, entry: str, output: str, slopes: NDArray[np.float32]) -> list[NodeProto]:
    positive, sloped, rest = (f"{output}.{part}" for part in ("positive", "sloped", "rest"))
    for product, factors in ((sloped, slopes), (rest, 1 - slopes)):
        factor = factors.reshape(-1, 1, 1).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(factor, f"{product}.factor"))
    return [
        helper.make_node("Relu", [entry], [positive]),
        helper.make_node("Mul", [entry, f"{sloped}.factor"], [sloped]),
        helper.make_node("Mul", [positive, f"{rest}.factor"], [rest]),
        helper.make_node("Add", [sloped, rest], [output]),
    ]
