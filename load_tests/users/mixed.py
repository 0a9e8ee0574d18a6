"""Clients that do what the clients of all contracts do, one thing after the other."""

from typing import Any

from locust import task
from locust.env import Environment

from load_tests.users.hostile import HostileUser
from load_tests.users.older_contracts import CompareUser, DeepfaceUser, FaceDatabaseUser, FacesUser, MatchUser
from load_tests.users.service_user import CHANCE, ServiceUser
from load_tests.users.v1 import GalleryUser, OperatorUser, PhotosUser

OLDER: tuple[type[ServiceUser], ...] = (CompareUser, DeepfaceUser, FaceDatabaseUser, FacesUser, MatchUser)
USERS: tuple[type[ServiceUser], ...] = (*OLDER, GalleryUser, HostileUser, OperatorUser, PhotosUser)


class MixedUser(ServiceUser):
    """Holds one user of each class and runs one task at a time, choosing the classes in proportion to their weight."""

    only_by_name = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        for each in USERS:
            each.host = str(self.host)
        self._users = [each(environment) for each in USERS]

    def on_start(self) -> None:
        """Start every user."""
        for user in self._users:
            user.on_start()

    def on_stop(self) -> None:
        """Let every user delete what it enrolled."""
        for user in self._users:
            user.on_stop()  # type: ignore[no-untyped-call]

    @task
    def run_a_task(self) -> None:
        """Run a random task of a random user."""
        [user] = CHANCE.choices(self._users, [user.weight for user in self._users])
        chosen: Any = CHANCE.choice(user.tasks)
        chosen(user)
