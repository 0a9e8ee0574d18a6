"""The simulation obeys the laws of queues, and agrees with results of queueing theory."""

from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.simulate import ClosedLoad, OpenLoad, Prediction, simulate
from capacity.system import NodeSize, Place, Route, RouteCall, StageModel, System, Work

Load = OpenLoad | ClosedLoad

EDGES = 0.05
"""Tolerance for the ends of a run, which contains its first and last requests only in part."""

SECONDS = st.floats(0.001, 0.1)
MODELS = st.builds(
    StageModel,
    hop=st.floats(0, 0.01),
    loop=st.floats(0, 0.02),
    core=st.builds(Work, SECONDS, SECONDS),
    gpu=st.none() | st.builds(Work, SECONDS, SECONDS),
    workers=st.integers(1, 3),
    largest=st.integers(1, 8),
    decodes=st.booleans(),
)
WITHOUT_BATCHES = MODELS.map(lambda model: replace(model, largest=1))
CALLS = st.builds(RouteCall, st.sampled_from(["one", "two"]), st.integers(1, 5))
ROUTES = st.lists(st.lists(CALLS, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3).map(tuple)
CLIENTS = st.integers(1, 12)


def pair(one: StageModel, two: StageModel, replicas: int = 1, variation: float = 0.0) -> System:
    """A node with two cores and a GPU, and `replicas` replicas of each stage."""
    stages = {"one": one, "two": two}
    return System((NodeSize(2, 1),), stages, dict.fromkeys(stages, (Place(0, 0),) * replicas), variation)


def single(model: StageModel, load: Load, *, cores: float = 1, variation: float = 0.0) -> Prediction:
    """Simulate one replica with requests that are calls with one item."""
    system = System((NodeSize(cores, 1),), {"one": model}, {"one": (Place(0, 0),)}, variation)
    return simulate(system, {((RouteCall("one", 1),),): 1}, load, requests=4000)


@given(
    MODELS, MODELS, st.floats(0, 0.5), ROUTES, st.builds(OpenLoad, st.floats(0.1, 5)) | st.builds(ClosedLoad, CLIENTS)
)
@settings(max_examples=15)
def test_utilisation_is_at_most_one_and_a_repeated_simulation_gives_the_same(
    one: StageModel, two: StageModel, variation: float, route: Route, load: Load
) -> None:
    found, again = (simulate(pair(one, two, 1, variation), {route: 1}, load, requests=100) for _ in range(2))
    assert found == again
    assert max(*found.cores, *found.gpus[0]) <= 1 + 1e-6


@given(WITHOUT_BATCHES, WITHOUT_BATCHES, ROUTES, CLIENTS)
@settings(max_examples=15)
def test_the_busiest_resource_bounds_the_rate(one: StageModel, two: StageModel, route: Route, clients: int) -> None:
    system = pair(one, two)
    found = simulate(system, {route: 1}, ClosedLoad(clients), requests=200)
    calls = [(system.stages[call.stage], call.items) for step in route for call in step]
    for seconds, capacity in (
        (sum(model.core_seconds(items) for model, items in calls), 2),
        (sum(model.gpu_seconds(items) for model, items in calls), 1),
    ):
        assert found.rate * seconds <= capacity * (1 + EDGES)


@given(WITHOUT_BATCHES, WITHOUT_BATCHES, ROUTES)
@settings(max_examples=15)
def test_more_replicas_never_lower_the_rate_of_a_saturated_system(
    one: StageModel, two: StageModel, route: Route
) -> None:
    # With few clients they can: two replicas that share a GPU may finish at the same time, and then both leave it idle.
    few, many = (
        simulate(pair(one, two, replicas, variation=0.3), {route: 1}, ClosedLoad(24), requests=200).rate
        for replicas in (1, 3)
    )
    assert many >= few * (1 - EDGES)


@given(MODELS, MODELS, ROUTES, CLIENTS)
@settings(max_examples=15)
def test_littles_law_holds(one: StageModel, two: StageModel, route: Route, clients: int) -> None:
    found = simulate(pair(one, two, variation=0.3), {route: 1}, ClosedLoad(clients), requests=300)
    assert found.rate * fmean(found.seconds) == pytest.approx(clients, rel=EDGES)


@pytest.mark.parametrize("variation", [0, 0.7])
def test_shared_cores_agree_with_theory(variation: float) -> None:
    # M/G/1 with processor sharing: the mean is that of the service time / (1 - utilisation), for any distribution.
    model = StageModel(core=Work(0, 0.1), workers=10**6)
    found = single(model, OpenLoad(6), variation=variation)
    assert fmean(found.seconds) == pytest.approx(0.1 / (1 - 0.6), rel=0.1)
    assert found.cores[0] == pytest.approx(0.6, rel=0.05)


def test_a_queue_agrees_with_theory() -> None:
    # M/D/1: Pollaczek and Khinchine's formula.
    found = single(StageModel(core=Work(0, 0.1)), OpenLoad(7), cores=4)
    assert fmean(found.seconds) == pytest.approx(0.1 + 0.7 * 0.1 / (2 * (1 - 0.7)), rel=0.1)


def test_a_lone_request_takes_the_time_of_its_longest_path() -> None:
    detector = StageModel(hop=0.001, loop=0.002, core=Work(0, 0.03), workers=2, decodes=True)
    network = StageModel(hop=0.001, loop=0.004, core=Work(0, 0.01))
    route = ((RouteCall("one", 3),), (RouteCall("two", 2), RouteCall("one", 1)))
    system = System((NodeSize(4),), {"one": detector, "two": network}, {"one": (Place(0),), "two": (Place(0),)})
    found = simulate(system, {route: 1}, ClosedLoad(1), requests=5)
    # Two workers take three photos in two rounds. Then the detector's photo takes longer than the two faces.
    assert found.seconds == pytest.approx([0.001 + 0.002 + 2 * 0.03 + 0.001 + 0.002 + 0.03] * 4)


@pytest.mark.parametrize(("largest", "rate"), [(1, 1 / 0.0205), (16, 16 / 0.028)])
@pytest.mark.parametrize("decodes", [False, True])
def test_waiting_calls_share_a_batch_on_a_gpu(largest: int, rate: float, decodes: bool) -> None:
    # A call takes 20 ms and 0.5 ms per item, and 32 clients wait: each batch is full.
    model = StageModel(gpu=Work(0.02, 0.0005), workers=32 if decodes else 1, largest=largest, decodes=decodes)
    assert single(model, ClosedLoad(32)).rate == pytest.approx(rate, rel=EDGES)
