"""Single decisions of the autoscaling policy, and decisions under simulated load."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.scaling import Decision, Load, Node, decide

UPSCALE_DELAY_S, DOWNSCALE_DELAY_S, WINDOW_S, START_S = 10, 60, 10, 5
SPARE = 0.5
LONG_S = 600
"""More time than all stages need to get their replicas."""


@st.composite
def any_load(draw: st.DrawFn) -> Load:
    minimum = draw(st.integers(1, 3))
    maximum = draw(st.integers(minimum, 8))
    target = draw(st.integers(minimum, maximum))
    return Load(
        running=draw(st.integers(0, target)),
        target=target,
        minimum=minimum,
        maximum=maximum,
        ongoing=draw(st.floats(0, 200)),
        wanted_ongoing=draw(st.sampled_from([1, 2, 8, 32])),
        busy=draw(st.none() | st.floats(0, 1)),
        cores=draw(st.floats(0, 4)),
        reserved={"CPU": draw(st.sampled_from([0.1, 1, 2])), "GPU": draw(st.sampled_from([0, 0.1, 0.5]))},
    )


LOADS = st.lists(any_load(), min_size=1, max_size=6).map(
    lambda loads: {f"stage-{at}": of for at, of in enumerate(loads)}
)
NODES = st.lists(
    st.builds(Node, st.floats(0, 16), st.fixed_dictionaries({"CPU": st.floats(0, 16), "GPU": st.floats(0, 2)})),
    max_size=3,
)


@given(LOADS, NODES, st.floats(0, 2))
def test_decision_stays_within_what_is_unused_and_allowed(
    loads: dict[str, Load], nodes: list[Node], spare: float
) -> None:
    decisions = decide(loads, nodes, spare)
    added = {name: max(0, decisions[name].replicas - load.target) for name, load in loads.items()}
    idle = sum(max(0.0, node.idle_cores - spare) for node in nodes)
    assert sum(count * loads[name].busy_cores for name, count in added.items()) <= idle + 1e-6
    for resource in ("CPU", "GPU"):
        reserved = sum(count * loads[name].reserved[resource] for name, count in added.items())
        assert reserved <= sum(node.free[resource] for node in nodes) + 1e-3
    for name, load in loads.items():
        assert load.minimum <= decisions[name].replicas <= load.maximum
        if decisions[name].cause != "making room":
            assert decisions[name].replicas >= load.target - 1


@given(LOADS, NODES, st.floats(0, 2))
def test_repeated_decision_is_the_same(loads: dict[str, Load], nodes: list[Node], spare: float) -> None:
    decisions = decide(loads, nodes, spare)
    assert decide(loads, nodes, spare, decisions) == decisions


@given(LOADS)
def test_without_room_nothing_is_added(loads: dict[str, Load]) -> None:
    decisions = decide(loads, [Node(0.9, {"CPU": 16, "GPU": 1})])
    assert all(decisions[name].replicas <= load.target for name, load in loads.items())


def test_calls_that_wait_for_other_deployments_add_no_replica() -> None:
    ingress = Load(1, 1, 1, 2, 64, 32, 0.3, 0.3, {"CPU": 0.2})
    assert decide({"ingress": ingress}, [Node(16, {"CPU": 16})])["ingress"].cause == "steady"


def test_deployment_chosen_before_stays_first() -> None:
    one, other = (Load(1, 1, 1, 2, ongoing, 8, 1, 1, {"CPU": 0.1}) for ongoing in (20, 21))
    nodes = [Node(1.5, {"CPU": 1})]
    first = decide({"one": one, "other": other}, nodes)
    assert [first[name].cause for name in first] == ["no room", "waiting"]
    again = decide({"one": other, "other": one}, nodes, 0, first)
    assert [again[name].cause for name in again] == ["no room", "waiting"]


def test_surplus_replicas_make_room_for_a_deployment_without_one() -> None:
    share = {"CPU": 0.1, "GPU": 0.4}
    loads = {
        "detector": Load(0, 1, 1, 2, 9, 2, None, 0, {"CPU": 0.1, "GPU": 0.1}),
        "liveness": Load(2, 4, 1, 4, 9, 2, 0.9, 0.1, share),
        "embedder": Load(1, 1, 1, 2, 9, 2, 0.9, 0.1, share),
        "reader": Load(2, 2, 1, 2, 0, 2, 0, 0.1, {"CPU": 0.1}),
    }
    full = Node(8, {"CPU": 4, "GPU": 0.05})
    assert {name: each.replicas for name, each in decide(loads, [full]).items()} == {
        **{"detector": 1, "liveness": 1, "embedder": 1},
        # Its surplus replica makes no room on a GPU, but is removed because it has nothing to do.
        "reader": 1,
    }
    assert {each.cause for each in decide(loads, [full]).values()} == {"starting", "making room", "no room", "relaxed"}
    free = Node(8, {"CPU": 4, "GPU": 0.15})
    assert decide(loads, [full, free])["liveness"].replicas == 4


@dataclass(frozen=True)
class Stage:
    """A stage: seconds and CPU seconds per call, and the number of concurrent calls of a replica."""

    seconds: float
    cpu: float
    workers: int
    most: int = 16


class Service:
    """Requests that pass through stages one after the other, in steps of a second. At most 64 are in progress.

    If the stages and the starting replicas need more cores than there are, all become slower.
    """

    def __init__(self, stages: Sequence[Stage], cores: float, *, scales: bool = True) -> None:
        self._stages, self._cores, self._scales = stages, cores, scales
        self.targets = [1] * len(stages)
        self._ready_at: list[list[int]] = [[0] for _ in stages]
        self._queues = [0.0] * len(stages)
        self._seen: deque[tuple[list[float], list[float], list[float], float]] = deque(maxlen=WINDOW_S)
        self._since: dict[int, tuple[bool, int]] = {}
        self._decisions: Mapping[str, Decision] = {}
        self._now = 0

    def run(self, seconds: int, rate: float) -> list[float]:
        """Run with `rate` requests per second; return the number answered in each second."""
        return [self._step(rate) for _ in range(seconds)]

    def _running(self) -> list[int]:
        return [sum(at <= self._now for at in ready) for ready in self._ready_at]

    def _step(self, rate: float) -> float:
        running, starting = self._running(), sum(at > self._now for ready in self._ready_at for at in ready)
        arriving = min(rate, max(0.0, 64 - sum(self._queues)))
        offered = [
            min(queue + arriving, stage.workers * count / stage.seconds)
            for queue, stage, count in zip(self._queues, self._stages, running, strict=True)
        ]
        wanted = sum(calls * stage.cpu for calls, stage in zip(offered, self._stages, strict=True)) + starting
        slow, answered = min(1.0, self._cores / wanted) if wanted else 1.0, arriving
        busy, ongoing, cores = [], [], []
        for at, (stage, count) in enumerate(zip(self._stages, running, strict=True)):
            capacity = slow * stage.workers * count / stage.seconds
            coming = self._queues[at] + answered
            answered = min(coming, capacity)
            self._queues[at] = coming - answered
            busy.append(share := answered / capacity)
            # Random calls wait for each other even if there are enough workers.
            ongoing.append(count * stage.workers * (share / (1 - share) if share < 0.9 else 9) + self._queues[at])
            cores.append(answered * stage.cpu / count)
        used = sum(use * count for use, count in zip(cores, running, strict=True)) + slow * starting
        self._seen.append((ongoing, busy, cores, self._cores - used))
        self._now += 1
        if self._scales and self._now % 2 == 0:
            self._scale()
        return answered

    def _scale(self) -> None:
        ongoing, busy, cores = (
            [fmean(each) for each in zip(*values, strict=True)]
            for values in zip(*(seen[:3] for seen in self._seen), strict=True)
        )
        loads = {
            str(at): Load(
                count, self.targets[at], 1, stage.most, ongoing[at], 2 * stage.workers, busy[at], cores[at], {}
            )
            for at, (stage, count) in enumerate(zip(self._stages, self._running(), strict=True))
        }
        node = Node(fmean(seen[3] for seen in self._seen), {})
        self._decisions = decide(loads, [node], SPARE, self._decisions)
        for at in range(len(self._stages)):
            self._apply(at, self._decisions[str(at)].replicas)

    def _apply(self, at: int, wanted: int) -> None:
        """Change the target as Serve does, once the change has been wanted for the whole of its delay."""
        target = self.targets[at]
        if wanted == target:
            self._since.pop(at, None)
            return
        upwards, since = self._since.get(at, (wanted > target, self._now))
        if upwards != (wanted > target):
            since = self._now
        self._since[at] = wanted > target, since
        if self._now - since >= (UPSCALE_DELAY_S if wanted > target else DOWNSCALE_DELAY_S):
            del self._since[at]
            self._ready_at[at] = sorted(self._ready_at[at])[:wanted]
            self._ready_at[at] += [self._now + START_S] * (wanted - target)
            self.targets[at] = wanted


@st.composite
def any_stage(draw: st.DrawFn) -> Stage:
    seconds = draw(st.floats(0.01, 0.2))
    return Stage(seconds, seconds * draw(st.floats(0.05, 1)), draw(st.integers(1, 4)))


STAGES = st.lists(any_stage(), min_size=1, max_size=5)
LONG = settings(max_examples=25, deadline=None)


@LONG
@given(STAGES, st.floats(1, 40))
def test_rate_is_reached_if_there_are_cores_for_it(stages: list[Stage], rate: float) -> None:
    service = Service(stages, cores=200)
    service.run(LONG_S, rate)
    assert fmean(service.run(300, rate)) >= 0.99 * rate


@LONG
@given(STAGES, st.floats(1, 40), st.floats(1, 32))
def test_steady_load_has_steady_replicas(stages: list[Stage], rate: float, cores: float) -> None:
    service = Service(stages, cores)
    service.run(LONG_S, rate)
    history = []
    for _ in range(40):
        service.run(20, rate)
        history.append(list(service.targets))
    assert all(
        later <= earlier for before, after in pairwise(history) for earlier, later in zip(before, after, strict=True)
    )
    assert history[-1] == history[len(history) // 2]


@LONG
@given(STAGES, st.floats(1, 40), st.floats(1, 4))
def test_rate_is_never_far_below_that_of_fixed_replicas(stages: list[Stage], rate: float, cores: float) -> None:
    scaled, fixed = (Service(stages, cores, scales=scales).run(LONG_S, rate) for scales in (True, False))
    windows = range(10, LONG_S, 10)
    assert all(sum(scaled[at : at + 10]) >= 0.9 * sum(fixed[at : at + 10]) for at in windows)


@LONG
@given(STAGES, st.floats(1, 40))
def test_replicas_are_removed_without_load(stages: list[Stage], rate: float) -> None:
    service = Service(stages, cores=200)
    service.run(LONG_S, rate)
    most = max(service.targets)
    service.run((most + 1) * (DOWNSCALE_DELAY_S + 2 * WINDOW_S), 0)
    assert set(service.targets) == {1}


def test_only_the_stage_where_calls_wait_gets_replicas() -> None:
    service = Service([Stage(0.1, 0.1, 1), Stage(0.02, 0.02, 1)], cores=16)
    service.run(600, 15)
    assert service.targets[0] > 1
    assert service.targets[1] == 1
