"""The stages that each route calls, and the number of photos or faces per call if each photo has one face."""

from collections.abc import Mapping
from dataclasses import dataclass

from capacity.system import CapacityError, Route, RouteCall
from deployments.settings import INGRESS
from graphs.settings import AppArgs


@dataclass(frozen=True, slots=True)
class RequestShape:
    """What a request consists of.

    Attributes:
        photos: number of photos in the request.
        detector: candidate roles. The first one that is configured is used. A task stands for its default role.
        networks: the same for each network.
        optional: tasks that are called if the configuration has a stage for them.
        gallery: the deployment of the gallery that is called at the end; empty if there is none.
    """

    photos: int
    detector: tuple[str, ...]
    networks: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...] = ()
    gallery: str = ""


SHAPES: Mapping[str, RequestShape] = {
    "match": RequestShape(2, ("mtcnn",), (("crmnet",), ("arcface",))),
    "compare": RequestShape(2, ("mtcnn",), (("inception_resnet_v1", "facenet"),)),
    "mediapipe": RequestShape(2, ("mediapipe",), (("inception_resnet_v1", "facenet"),)),
    "verify": RequestShape(2, ("detector",), (("embedder",),)),
    "search": RequestShape(1, ("detector",), (("embedder",),), gallery="gallery-reader"),
    "enrol": RequestShape(1, ("detector",), (("embedder",),), ("pose", "eyes"), "gallery-writer"),
}
"""The shape of each route's requests, by the route's name in a mix."""


def roles_of(name: str, args: AppArgs) -> tuple[str, list[str]]:
    """Return the roles of the detector and of the other stages that a route calls.

    Raises:
        CapacityError: there is no such route, or the configuration lacks one of its stages.
    """
    if name not in SHAPES:
        raise CapacityError(f"unknown route {name}; available: {', '.join(SHAPES)}")
    shape, defaults = SHAPES[name], args.default_roles

    def chosen(names: tuple[str, ...]) -> str:
        for each in names:
            if (role := defaults.get(each, each)) in args.stages:
                return role
        raise CapacityError(f"the route {name} needs a stage {' or '.join(names)}, which is not configured")

    networks = [chosen(names) for names in shape.networks]
    return chosen(shape.detector), networks + [defaults[task] for task in shape.optional if task in defaults]


def route_of(name: str, args: AppArgs) -> Route:
    """Return the calls of a route, as if each stage had its own deployment.

    Raises:
        CapacityError: as `roles_of`.
    """
    detector, networks = roles_of(name, args)
    shape = SHAPES[name]

    def call(role: str) -> RouteCall:
        return RouteCall(deployment_of(role, args), shape.photos)

    ingress = (RouteCall(INGRESS, 1),)
    gallery = ((RouteCall(shape.gallery, 1),),) if shape.gallery else ()
    return (ingress, (call(detector),), tuple(map(call, networks)), *gallery, ingress)


def deployment_of(role: str, args: AppArgs) -> str:
    """Return the name of a stage's deployment, as if it had its own."""
    return args.stages[role].model_copy(update={"place": "own"}).deployment(role)
