"""Branches of a tree run on their own rows, in tiny trees written by hand and in the real export."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, numpy_helper

from models.catalogue import card
from models.onnx_graph import OPSET
from models.onnx_tree import with_taken_branches
from models.store import Store

Floats = NDArray[np.float32]

SIDE, CHANNELS = 4, 8
LEAVES = ("low_low", "low_high", "high_low", "high_high")


def written(graph: str) -> ModelProto:
    model: ModelProto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {OPSET}]>\n{graph}')
    return model


def judged(name: str, features: str) -> str:
    """A number a row, `{name}_value`, told from `features`."""
    return f"""
        {name}_means = GlobalAveragePool ({features})
        {name}_flat = Flatten ({name}_means)
        {name}_value = MatMul ({name}_flat, {name}_weights)
    """


def parted(name: str, features: str) -> str:
    """Decides between `{name}low` and `{name}high`; without a name it is the root that does."""
    lines = judged(f"{name}gate", features)
    for side, operator in (("low", "Less"), ("high", "GreaterOrEqual")):
        decision = f"{name}{side}_decision" if name else side
        lines += f"{name}{side}_is = {operator} ({name}gate_value, zero) {decision} = Cast <to = 1> ({name}{side}_is)\n"
        lines += f"{name}{side} = Mul ({name[:-1]}, {decision})\n" if name else ""
    return lines


def convolved(name: str, features: str) -> str:
    return f"""
        {name}_raw = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({features}, {name}_kernel)
        {name}_features = LeakyRelu <alpha = 0.9> ({name}_raw)
    """


def small_tree() -> ModelProto:
    """Two decisions down to one of four leaves, each of which looks back at the trunk too; random weights."""
    lines = convolved("trunk", "x") + parted("", "trunk_features")
    for side in ("low", "high"):
        lines += convolved(side, "trunk_features") + parted(f"{side}_", f"{side}_features")
    for leaf in LEAVES:
        lines += convolved(leaf, f"{leaf.split('_')[0]}_features")
        lines += f"{leaf}_both = Add ({leaf}_features, trunk_features) {judged(leaf, f'{leaf}_both')}"
    model = written(
        f"""core (float[n, {CHANNELS}, {SIDE}, {SIDE}] x) => (float[n, 4] scores, float[n, 4] route) {{
            {lines}
            scores = Concat <axis = 1> ({", ".join(f"{leaf}_value" for leaf in LEAVES)})
            route = Concat <axis = 1> ({", ".join(LEAVES)})
        }}"""
    )
    rng = np.random.default_rng(1)
    used = dict.fromkeys(name for node in model.graph.node for name in node.input)
    for name in used:
        if name.endswith(("_kernel", "_weights")):
            shape = (CHANNELS, CHANNELS, 3, 3) if name.endswith("_kernel") else (CHANNELS, 1)
            weights = (rng.normal(size=shape) / 8).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(weights, name))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0), "zero"))
    return model


def rows(count: int) -> Floats:
    return np.random.default_rng(count).normal(size=(count, CHANNELS, SIDE, SIDE)).astype(np.float32)


def opened(model: ModelProto) -> onnxruntime.InferenceSession:
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def inner_graphs(graph: GraphProto) -> list[GraphProto]:
    return [attribute.g for node in graph.node if node.op_type == "If" for attribute in node.attribute]


def convolutions(graph: GraphProto, depth: int = 0) -> Counter[int]:
    """How many there are, by how many ``If`` they stand in."""
    found = Counter({depth: sum(node.op_type == "Conv" for node in graph.node)})
    return sum((convolutions(inner, depth + 1) for inner in inner_graphs(graph)), found)


def stray_weights(graph: GraphProto) -> list[str]:
    """Weights of convolutions that are not of the convolution's own graph."""
    own = {entry.name for entry in graph.initializer}
    strays = [node.input[1] for node in graph.node if node.op_type == "Conv" and node.input[1] not in own]
    return sum(map(stray_weights, inner_graphs(graph)), strays)


@pytest.fixture(scope="module")
def whole() -> onnxruntime.InferenceSession:
    return opened(small_tree())


@pytest.fixture(scope="module")
def pruned() -> onnxruntime.InferenceSession:
    return opened(with_taken_branches(small_tree()))


def assert_same(
    pruned: onnxruntime.InferenceSession, whole: onnxruntime.InferenceSession, batch: Floats
) -> NDArray[np.intp]:
    """The leaf that each row of `batch` ends in, once both have given the same."""
    scores, route = whole.run(None, {"x": batch})
    given_scores, given_route = pruned.run(None, {"x": batch})
    np.testing.assert_array_equal(given_route, route)
    np.testing.assert_array_equal(route.sum(axis=1), np.ones(len(batch)))
    np.testing.assert_allclose(given_scores, scores * route, atol=1e-6)
    return np.asarray(np.argmax(route, axis=1))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 64])
def test_a_batch_of_any_size_is_answered_as_by_the_whole_tree(
    pruned: onnxruntime.InferenceSession, whole: onnxruntime.InferenceSession, count: int
) -> None:
    assert len(assert_same(pruned, whole, rows(count))) == count


def test_each_leaf_is_reached_alone_and_beside_every_other(
    pruned: onnxruntime.InferenceSession, whole: onnxruntime.InferenceSession
) -> None:
    batch = rows(64)
    ends = assert_same(pruned, whole, batch)
    one_a_leaf = [int(np.flatnonzero(ends == leaf)[0]) for leaf in range(len(LEAVES))]
    for leaf, first in enumerate(one_a_leaf):
        assert assert_same(pruned, whole, batch[[first]]).tolist() == [leaf]
        for other, second in enumerate(one_a_leaf):
            assert assert_same(pruned, whole, batch[[first, second, first]]).tolist() == [leaf, other, leaf]


def two_leaves(scores: str, constants: str) -> ModelProto:
    """Rows (n, 1) below 0 end in the first of two leaves, whose scores `low` and `high` are told by `scores`."""
    return written(
        f"""core (float[n, 1] x) => (float[n, 2] scores, float[n, 2] route) <float zero = {{0}}, {constants}> {{
            is_low = Less (x, zero)
            is_high = GreaterOrEqual (x, zero)
            low_taken = Cast <to = 1> (is_low)
            high_taken = Cast <to = 1> (is_high)
            {scores}
            scores = Concat <axis = 1> (low, high)
            route = Concat <axis = 1> (low_taken, high_taken)
        }}"""
    )


def test_a_branch_does_not_run_on_rows_that_take_another() -> None:
    # Each leaf looks its score up in a table that has no entry for the rows of the other.
    lookups = """
        index = Cast <to = 7> (x)
        low = Gather (table, index)
        from_ten = Sub (index, ten)
        high = Gather (table, from_ten)
    """
    model = two_leaves(lookups, "int64 ten = {10}, float[3] table = {0.25, 0.5, 0.75}")
    x = np.array([[10], [-1], [12], [-3]], np.float32)
    with pytest.raises(Exception, match="out of data bounds"):
        opened(model).run(None, {"x": x})
    scores, _ = opened(with_taken_branches(model)).run(None, {"x": x})
    assert scores.tolist() == [[0, 0.25], [0.75, 0], [0, 0.75], [0.25, 0]]


def test_a_branch_that_no_row_takes_does_not_run() -> None:
    # Each leaf works on one row, neither on more nor on none.
    model = with_taken_branches(two_leaves("low = Reshape (x, one) high = Reshape (x, one)", "int64[2] one = {1, 1}"))
    pruned = opened(model)
    for x, expected in (([[-2]], [[-2, 0]]), ([[3]], [[0, 3]]), ([[3], [-2]], [[0, 3], [-2, 0]])):
        assert pruned.run(None, {"x": np.array(x, np.float32)})[0].tolist() == expected


def test_the_branches_of_a_small_tree_stand_in_one_another_with_their_weights() -> None:
    graph = with_taken_branches(small_tree()).graph
    assert convolutions(graph) == {0: 1, 1: 2, 2: 4}
    assert stray_weights(graph) == []
    assert {entry.name for entry in graph.initializer} == {"trunk_kernel", "gate_weights", "zero"}


def test_the_real_export_keeps_only_its_trunk_outside_of_branches(store: Store) -> None:
    graph = onnx.load(store.exports(card("deep-tree"))[0]).graph
    # Five convolutions of 256 x 256 and three of the first decision.
    assert convolutions(graph) == {0: 8, 1: 12, 2: 20, 3: 32}
    assert stray_weights(graph) == []
