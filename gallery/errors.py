"""Errors about collections, subjects and requests."""

import errno

from gallery.records import Collection
from project.request_error import RequestError


class UnopenedError(OSError):
    """A gallery cannot be opened, for example because its folder was unmounted."""


def not_found(name: str) -> RequestError:
    """Return the error for a collection that does not exist."""
    return RequestError("COLLECTION_NOT_FOUND", f"There is no collection called {name}")


def not_empty() -> RequestError:
    """Return the error for a collection that is deleted without its faces."""
    return RequestError("COLLECTION_NOT_EMPTY", "The collection contains faces")


def subject_not_found() -> RequestError:
    """Return the error for a subject that the collection does not have."""
    return RequestError("SUBJECT_NOT_FOUND", "The collection has no subject with this id")


def face_not_found() -> RequestError:
    """Return the error for a face that the collection does not have."""
    return RequestError("FACE_NOT_FOUND", "The collection has no face with this id")


def unreadable(name: str) -> RequestError:
    """Return the error for a collection whose files are damaged or missing. The cause is only logged."""
    return RequestError("COLLECTION_UNREADABLE", f"The files of the collection {name} cannot be read")


def unreachable() -> RequestError:
    """Return the error for requests while the gallery cannot be opened. The cause is only logged."""
    return RequestError("UNAVAILABLE", "The gallery's files cannot be reached")


def key_reused() -> RequestError:
    """Return the error for an idempotency key that was sent with a different request before."""
    return RequestError("IDEMPOTENCY_KEY_REUSED", "This idempotency key was already used for a different request")


def contract_mismatch(collection: Collection) -> RequestError:
    """Return the error for embeddings that cannot be compared with the embeddings of `collection`."""
    return RequestError(
        "EMBEDDING_CONTRACT_MISMATCH",
        f"Collection {collection.name} contains embeddings of {collection.kind.model} (contract "
        f"{collection.kind.contract}); these come from a different model. To move the collection to another model, run "
        f"`facegraph gallery re-embed PHOTOS --from {collection.name} --to NEW`",
    )


def failures(error: BaseException) -> list[str]:
    """Return the notes of an error of maintenance, one per failed collection, beginning with that of the error."""
    return list(getattr(error, "__notes__", ()))


def all_failures(error: BaseException) -> str:
    """Return `failures` in one line; the error itself if there are none."""
    return "; ".join(failures(error)) or repr(error)


def is_full(error: BaseException) -> bool:
    """Whether `error` was raised because the disk is full. Lance reports it only in the message."""
    return getattr(error, "errno", None) == errno.ENOSPC or f"(os error {errno.ENOSPC})" in str(error)
