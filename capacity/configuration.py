"""Converts a Serve configuration to the input of a plan, and a plan to a Serve configuration."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from capacity.plan import CapacityPlan, Demand
from capacity.routes import deployment_of, roles_of, route_of
from capacity.service_times import ServiceTimes
from capacity.system import CapacityError, Mix
from deployments.settings import INGRESS, ReplicaSettings
from graphs.settings import AppArgs
from models.tasks import DETECTOR

READER, WRITER = "gallery-reader", "gallery-writer"


class PlannedApplication:
    """An application and the requests that it is planned for.

    Args:
        config: the Serve configuration, whose first application is planned.
        args: the application's arguments.
        shares: share of each route in the requests, by the route's name in `capacity.routes`.
        gpus: whether the nodes have GPUs.

    Attributes:
        mix: the routes and their shares.
        used: roles of the stages that the routes call. Each gets its own deployment.

    Raises:
        CapacityError: a route or one of its stages does not exist, or the configuration requires GPUs.
    """

    def __init__(
        self, config: Any, args: AppArgs, shares: Mapping[str, float], times: ServiceTimes, gpus: bool
    ) -> None:
        if args.device == "cuda" and not gpus:
            raise CapacityError("the configuration requires GPUs (device: cuda), but the nodes have none")
        self._config, self._args, self._times, self._gpus = config, args, times, gpus and args.device != "cpu"
        self.mix: Mix = {route_of(name, args): share for name, share in shares.items()}
        chains = [roles_of(name, args) for name in shares]
        self.used = {role for detector, networks in chains for role in (detector, *networks)}

    @property
    def own(self) -> list[str]:
        """Roles of the stages with their own deployment."""
        return [role for role, stage in self._args.stages.items() if stage.place == "own" or role in self.used]

    def demands(self) -> dict[str, Demand]:
        """Return what each deployment has to do."""
        inside = sum(stage.cpus for role, stage in self._args.stages.items() if role not in self.own)
        demands = {INGRESS: Demand(self._times.deployment(INGRESS), other_cores=inside)}
        demands |= {deployment_of(role, self._args): self._demand(role) for role in self.own}
        demands[READER] = Demand(self._times.deployment(READER))
        demands[WRITER] = Demand(self._times.deployment(WRITER), single=True)
        return demands

    def assumed(self) -> list[str]:
        """Return the deployments that the routes call and whose times were not measured."""
        return [
            deployment_of(role, self._args)
            for role, stage in self._args.stages.items()
            if role in self.used and not self._times.is_measured(stage.model, gpu=self._on_gpu(role))
        ]

    def configuration(self, plan: CapacityPlan) -> Any:
        """Return the configuration with the plan's replicas and shares."""
        config = deepcopy(self._config)
        application = config["applications"][0]
        args, deployments = application["args"], application.setdefault("deployments", [])
        for role in self.own:
            planned = plan.deployments[deployment_of(role, self._args)]
            args["stages"][role].pop("place", None)
            args["stages"][role] |= {"workers": planned.workers, "cpus": planned.cpus, "gpus": planned.gpus}
        inside = plan.deployments[INGRESS].cpus - self.demands()[INGRESS].other_cores
        args["ingress_cpus"] = round(inside, 2)
        gallery = args.setdefault("gallery", {})
        gallery |= {"reader_cpus": plan.deployments[READER].cpus, "writer_cpus": plan.deployments[WRITER].cpus}
        for name, planned in plan.deployments.items():
            if name != WRITER:
                _scale(deployments, name, planned.replicas, planned.workers)
        return config

    def _on_gpu(self, role: str) -> bool:
        return self._gpus and self._args.stages[role].gpus > 0

    def _demand(self, role: str) -> Demand:
        stage, gpu = self._args.stages[role], self._on_gpu(role)
        name = deployment_of(role, self._args)
        entries = self._config["applications"][0].get("deployments", [])
        settings = next((each.get("user_config") for each in entries if each["name"] == name), None)
        # Detectors batch only inputs of the same shape, and photos of different sizes have different shapes.
        alone = stage.card.task == DETECTOR and not stage.options.get("square")
        largest = 1 if alone else ReplicaSettings(**(settings or {})).largest_batch.gpu
        model = self._times.stage(stage.model, stage.card.task, gpu=gpu, workers=stage.workers, largest=largest)
        return Demand(model, stage.gpus if gpu else 0.0)


def _scale(deployments: list[dict[str, Any]], name: str, replicas: int, workers: int) -> None:
    """Set the number of replicas of a deployment in a configuration."""
    entry = next((each for each in deployments if each["name"] == name), None)
    if entry is None:
        deployments.append(entry := {"name": name})
    entry.pop("num_replicas", None)
    scaling = {"target_ongoing_requests": 2 * workers, **entry.get("autoscaling_config", {})}
    entry["autoscaling_config"] = {**scaling, "min_replicas": replicas, "max_replicas": replicas}
