"""A clock that the test moves."""


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds
