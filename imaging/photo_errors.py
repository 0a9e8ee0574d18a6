"""Errors for photos that cannot be decoded."""

from project.request_error import RequestError


def damaged() -> RequestError:
    """Return the error for a damaged or incomplete file."""
    return RequestError("INVALID_IMAGE", "The image is damaged and cannot be decoded")


def too_complex() -> RequestError:
    """Return the error for a file that takes more work to decode than any real photo."""
    return RequestError("IMAGE_TOO_COMPLEX", "The image's structure is too complex")


def too_large(max_bytes: int) -> RequestError:
    """Return the error for an encoded photo of more than `max_bytes`."""
    return RequestError("IMAGE_TOO_LARGE", f"The image exceeds the limit of {max_bytes} bytes")
