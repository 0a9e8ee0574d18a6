"""The flow of POST /match: a comparison of two good photos of exactly one face each, in its contract's words."""

from functools import partial

from graphs.extract import the_face
from graphs.policy import Policy
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from graphs.verify import Verification, verify
from imaging.faces import Photo
from imaging.pick import Pick
from imaging.refused import Refused

NAMES = ("Image1", "Image2")


async def match(
    detector: DetectorStage,
    liveness: LivenessStage,
    embedder: EmbedderStage,
    pair: tuple[bytes, bytes],
    policy: Policy,
) -> Verification:
    """Compare the faces of two encoded photos.

    Raises:
        Refused: a photo cannot be decoded, is not good enough, or has no face or several. The message
            names the photo.
        ValueError: a network gave what is no number.
    """
    pick = Pick("one", policy.other_faces)
    return await verify(detector, liveness, embedder, pair, pick, partial(_usable, policy, pick))


def _usable(policy: Policy, pick: Pick, number: int, found: Photo | Refused) -> Photo:
    name = NAMES[number]
    if isinstance(found, Refused):
        raise Refused(found.code, f"{name} could not be loaded: {found.message}")
    if issue := _quality_issue(found, policy):
        raise Refused("LOW_QUALITY", f"{name} quality issue: {issue}")
    try:
        the_face(found, pick)
    except Refused as refused:
        raise Refused(refused.code, f"{name} face detection failed: {refused.message}") from None
    return found


def _quality_issue(photo: Photo, policy: Policy) -> str | None:
    """The first thing that makes `photo` not good enough, in the words of the contract."""
    quality, side = photo.quality, policy.min_side
    if photo.width < side or photo.height < side:
        return f"Image too small: {photo.width}x{photo.height}. Minimum size: {side}x{side}"
    if quality.brightness < policy.min_brightness:
        return f"Image too dark: brightness {quality.brightness:.1f}. Minimum: {policy.min_brightness:g}"
    if quality.brightness > policy.max_brightness:
        return f"Image too bright: brightness {quality.brightness:.1f}. Maximum: {policy.max_brightness:g}"
    if quality.contrast < policy.min_contrast:
        return f"Image contrast too low: {quality.contrast:.1f}. Minimum: {policy.min_contrast:g}"
    return None
