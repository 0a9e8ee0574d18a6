"""The one error type of a request."""


class Refused(Exception):
    """A request that is answered with an error, for a reason that the client can be told.

    Attributes:
        code: stable upper-snake identifier, e.g. ``INVALID_IMAGE``. Clients branch on it.
        message: one sentence for a person. Carries nothing of the service's inside.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
