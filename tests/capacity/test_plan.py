"""A plan carries its rate and fits on its nodes, and its routes call the same stages as real requests."""

import base64
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.app import create_app
from capacity.plan import LARGEST_SHARE, SPARE_CORES, Demand, plan_capacity
from capacity.routes import SHAPES, deployment_of, route_of
from capacity.simulate import OpenLoad, simulate
from capacity.system import CapacityError, Mix, NodeSize, Place, RouteCall, StageModel, Work
from graphs.stages import Stage
from tests.default_configuration import default_args
from tests.fakes import People, changed, service, stages_of

SECONDS = st.floats(0.001, 0.02)
CORES = st.builds(
    Demand, st.builds(StageModel, loop=SECONDS, core=st.builds(Work, SECONDS, SECONDS), workers=st.just(2))
)
GPUS = st.builds(
    Demand,
    st.builds(StageModel, loop=SECONDS, core=st.builds(Work, SECONDS), gpu=st.builds(Work, SECONDS, SECONDS)),
    gpu_share=st.floats(0.05, 0.3),
)
NODES = st.builds(NodeSize, st.integers(3, 32), st.integers(1, 4))
ROUTES: Mix = {
    ((RouteCall("one", 2),), (RouteCall("two", 2), RouteCall("three", 1))): 0.6,
    ((RouteCall("two", 1),),): 0.4,
}


@given(CORES, GPUS, CORES | GPUS, st.floats(1, 300), NODES, st.floats(0.3, 0.8))
@settings(max_examples=25)
def test_a_plan_fits_its_nodes_and_carries_its_rate(
    one: Demand, two: Demand, three: Demand, rate: float, node: NodeSize, utilisation: float
) -> None:
    demands = {"one": one, "two": two, "three": three}
    plan = plan_capacity(demands, ROUTES, rate, node, utilisation=utilisation, variation=0.2)
    cpus, shares, busy = (
        defaultdict[int, float](float),
        defaultdict[Place, float](float),
        defaultdict[Place, float](float),
    )
    for name, places in plan.system.places.items():
        planned = plan.deployments[name]
        assert len(places) == planned.replicas
        assert planned.utilisation <= utilisation + 1e-6
        assert planned.cpus <= 1
        for place in places:
            cpus[place.node] += planned.cpus
            shares[place] += planned.gpus
            busy[place] += planned.gpus_busy
    assert set(cpus) == set(range(plan.nodes))
    assert max(cpus.values()) <= node.cores - SPARE_CORES + 1e-6
    assert max(shares.values()) <= LARGEST_SHARE + 1e-6
    assert max(busy.values()) <= utilisation + 1e-6
    assert min(plan.limits.values()) >= rate / utilisation * (1 - 1e-6)
    assert simulate(plan.system, ROUTES, OpenLoad(rate), requests=1000).rate >= 0.85 * rate


@given(CORES, st.floats(1, 100), st.floats(1, 3))
def test_a_higher_rate_never_needs_less(one: Demand, rate: float, times: float) -> None:
    route: Mix = {((RouteCall("one", 2),),): 1.0}
    low, high = (plan_capacity({"one": one}, route, each, NodeSize(8)) for each in (rate, rate * times))
    assert high.deployments["one"].replicas >= low.deployments["one"].replicas
    assert high.nodes >= low.nodes


def test_a_deployment_without_calls_gets_one_replica() -> None:
    plan = plan_capacity({"idle": Demand(StageModel())}, {}, 10, NodeSize(2))
    assert (plan.deployments["idle"].replicas, plan.deployments["idle"].cpus, plan.limits) == (1, 0.05, {})


@pytest.mark.parametrize(
    ("demand", "node", "problem"),
    [
        (Demand(StageModel(loop=0.01), single=True), NodeSize(8), "handles 70 calls per second, not 100"),
        (Demand(StageModel(loop=0.01)), NodeSize(1.5), "a node with 1.5 cpus and 0 gpus cannot hold a replica of one"),
        (Demand(StageModel(gpu=Work(0.001)), gpu_share=0.1), NodeSize(8), "reserves 0.05 cpus and 0.1 gpus"),
    ],
)
def test_what_cannot_be_planned_is_reported_in_one_sentence(demand: Demand, node: NodeSize, problem: str) -> None:
    with pytest.raises(CapacityError, match=problem):
        plan_capacity({"one": demand}, {((RouteCall("one", 1),),): 1}, 100, node)


TEXTS = [base64.b64encode(word).decode() for word in (b"anna", b"anne")]
PHOTOS = {"photo1": b"anna", "photo2": b"anne"}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "match": ("/match", {"json": dict(zip(("image1", "image2"), TEXTS, strict=True))}),
    "compare": ("/compare", {"json": dict(zip(("image1_base64", "image2_base64"), TEXTS, strict=True))}),
    "mediapipe": ("/mediapipe", {"json": dict(zip(("image1_base64", "image2_base64"), TEXTS, strict=True))}),
    "verify": ("/v1/verify", {"files": PHOTOS}),
    "search": ("/v1/collections/staff/search", {"files": {"photo": b"anna"}}),
    "enrol": ("/v1/collections/staff/faces", {"files": {"photo": b"anna"}, "data": {"subject": "anna"}}),
}


def called(path: str, request: dict[str, Any]) -> list[tuple[str, int]]:
    """The deployments that a request calls, in order, with the photos or faces of each call."""
    people, calls = People(), list[tuple[str, int]]()
    known = people.stages()
    args = default_args()

    def recorded(stage: Stage[Any, Any]) -> Stage[Any, Any]:
        async def ask(question: Any) -> Any:
            items = question.photos if hasattr(question, "photos") else question[0]
            calls.append((deployment_of(stage.role, args), len(items)))
            return await stage.ask(question)

        return changed(stage, ask)

    detector = known.detectors["mtcnn"]
    others = [changed(detector, role=role) for role in ("retinaface", "mediapipe")]
    made: list[Stage[Any, Any]] = [*others, detector, *known.networks.values(), *people.attributes()]
    client = TestClient(create_app(service(stages_of(*map(recorded, made), gallery=known.gallery))))
    client.put("/v1/collections/staff", json={}).raise_for_status()
    client.post(path, **request).raise_for_status()
    return calls


@pytest.mark.parametrize("name", SHAPES)
def test_a_route_calls_the_stages_that_its_requests_call(name: str) -> None:
    ingress, *steps, last = route_of(name, default_args())
    planned = [[(call.stage, call.items) for call in step] for step in steps if "gallery" not in step[0].stage]
    assert ingress == last
    found = called(*REQUESTS[name])
    assert [found[:1], sorted(found[1:])] == [planned[0], sorted(planned[1])]


def test_a_missing_stage_is_reported_in_one_sentence() -> None:
    args = default_args()
    stages = {role: stage for role, stage in args.stages.items() if role != "crmnet"}
    with pytest.raises(CapacityError, match="the route match needs a stage crmnet, which is not configured"):
        route_of("match", args.model_copy(update={"stages": stages}))
