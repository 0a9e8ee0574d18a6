"""The requests of a soak, as its clients wrote them down."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REFUSED = "refused"
"""How the problem of a request begins that the service was too busy for; see `load_tests.users.service_user`."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that came to its end.

    Attributes:
        ended: by `time.monotonic`.
        name: of its route.
        milliseconds: None of one that nobody waited for, or that was refused.
        problem: what was wrong with the answer, or None.
    """

    ended: float
    name: str
    milliseconds: float | None
    problem: str | None

    @property
    def refused(self) -> bool:
        """Whether the service was too busy for it."""
        return self.problem is not None and self.problem.startswith(REFUSED)


def read(path: Path) -> list[Request]:
    """The requests in a file, without a last line that is cut off."""
    lines = path.read_text("utf-8").split("\n")[:-1]
    return [Request(*json.loads(line)) for line in lines]


def unexpected(requests: Iterable[Request]) -> Counter[str]:
    """What went wrong besides refusals, by route and problem, and how often."""
    return Counter(f"{each.name}: {each.problem}" for each in requests if each.problem and not each.refused)
