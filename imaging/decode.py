"""The decode gate: the only place where untrusted bytes become pixels."""

import io
import warnings
from dataclasses import dataclass

import cv2
import numpy as np
import pi_heif
import PIL.AvifImagePlugin
import PIL.Image
import PIL.ImageFile
from numpy.typing import NDArray

from imaging import heif_structure, jpeg_structure, png_structure, sixteen_bit, webp_structure
from imaging.formats import recognise
from imaging.photo_errors import damaged, too_complex, too_large
from project.request_error import RequestError

# Disable Pillow's limit: it only warns below twice the limit, and the gate has its own check.
PIL.Image.MAX_IMAGE_PIXELS = None
# Each broken tag of an untrusted file would add a line to the log and stay in memory.
warnings.filterwarnings("ignore", module=r"PIL\.")

MAX_WHOLE = 25_000_000
"""Maximum number of pixels of formats that must be decoded at full size (all but single-scan JPEG), at 4 or more bytes
per pixel."""
MAX_WEBP = 12_500_000
"""Maximum number of pixels of a WEBP file. Pillow's copies take 28 bytes per pixel."""
MAX_SPARE = 1.2
"""Maximum ratio of coded pixels to the pixel limit for HEIC and AVIF, including tile edges and transparency. A pixel
takes 7 to 14 bytes, or 20 with transparency."""
MAX_WORK = 400_000_000
"""Maximum of pixels times decoder passes, about a second of work. Encoders write 10 to 16 scans."""
MAX_ASPECT = 50
"""Maximum ratio of the sides. After downscaling, a more elongated photo would be too narrow for face detection."""

_BAND = 4_000_000

# Photos are decoded in parallel, one thread each. OpenCV's threads busy-wait for each other: with two, measuring
# a 1,024-pixel photo takes 2.7 ms of CPU time instead of 1.6 and is no faster.
cv2.setNumThreads(1)
PIL.AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# Decode the primary picture only; 0 disables libheif's own threads.
pi_heif.register_heif_opener(decode_threads=0, thumbnails=False, depth_images=False, aux_images=False)

_MISSING = ((128,) * 3, (64,) * 3)
"""Colours that decoders give missing pixels of a JPEG file with an end marker: for RGB or grey, and for CMYK."""
_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the decode gate.

    Attributes:
        max_bytes: size of the encoded file.
        max_pixels: width times height according to the file's header; see also `MAX_WHOLE`.
        max_dimension: longest side of the decoded pixels. Larger photos are scaled down.
    """

    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_dimension: int = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded photo.

    Attributes:
        pixels: uint8 (height, width, 3) RGB, upright, scaled down to the limit.
        width, height: size of the upright photo before scaling.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Size of `pixels` relative to the photo, at most 1."""
        return float(max(self.pixels.shape[:2])) / max(self.width, self.height)


def decode(data: bytes, limits: Limits) -> Decoded:
    """Decode a file of one of the `FORMATS`.

    Applies the EXIF orientation, or the one built into HEIC and AVIF. Converts grey, palette and CMYK to RGB,
    composites transparency over white, and uses the first frame of an animation.

    Raises:
        RequestError: ``IMAGE_TOO_LARGE`` for too many bytes or pixels and ``IMAGE_TOO_COMPLEX`` for too much decoding
            work, both before decoding; ``INVALID_IMAGE`` for a damaged file or another format.
    """
    if not data:
        raise RequestError("INVALID_IMAGE", "The image is empty")
    if len(data) > limits.max_bytes:
        raise too_large(limits.max_bytes)
    kind, passes, scans, rival = recognise(data), 1, None, None
    if kind == "HEIF":
        kind, data = _still(data, limits)
    elif kind == "JPEG":
        scans = jpeg_structure.read_scans(data)
        passes = scans.passes
        if not scans.is_ended:
            data, rival = jpeg_structure.completions(data, scans.end)
    elif kind == "PNG":
        data = png_structure.essential(data)
    elif kind == "WEBP" and webp_structure.is_padded(data):
        raise damaged()
    image = _open(data, kind)
    width, height = image.size
    _check(image, passes, limits)
    try:
        pixels = _pixels(image, limits.max_dimension)
        if kind == "PNG":
            _check_rows(image, data)
            if png_structure.has_sixteen_bit_colours(data) and sixteen_bit.uses_lower_bits(image):
                # Free memory before the second image.
                image.close()
                pixels = _pixels(sixteen_bit.decode_lower_bits(data), limits.max_dimension)
        orientation = _orientation(image)
        if scans is not None and scans.is_ended and tuple(pixels[-1, -1]) in _MISSING:
            rival = jpeg_structure.continued(data[: scans.end].rstrip(b"\xff"))
        if rival is not None:
            # Free memory before the next image.
            image.close()
            _check_same(_pixels(_open(rival, kind), limits.max_dimension), pixels)
    except Exception as error:
        # Pillow's plugins raise errors of nearly any type for damaged files.
        raise damaged() from error
    if orientation in _TURNS:
        turned = PIL.Image.fromarray(pixels).transpose(_TURNS[orientation])
        pixels = np.asarray(turned, dtype=np.uint8)
    if orientation >= 5:
        width, height = height, width
    return Decoded(pixels, width, height)


def _still(data: bytes, limits: Limits) -> tuple[str, bytes]:
    """Return Pillow's name for the format of a HEIC or AVIF file, and the file reduced to its primary picture."""
    still = heif_structure.read_still(data)
    most = min(limits.max_pixels, MAX_WHOLE)
    _check_size(still.width, still.height, most)
    if still.coded > MAX_SPARE * most:
        text = f"The image has {still.coded} coded pixels; the maximum is {int(MAX_SPARE * most)}"
        raise RequestError("IMAGE_TOO_LARGE", text)
    if still.work > MAX_WORK:
        raise too_complex()
    return ("AVIF" if still.codec == b"av01" else "HEIF"), still.data


def _open(data: bytes, kind: str) -> PIL.ImageFile.ImageFile:
    """Open a file, reading only its header."""
    try:
        return PIL.Image.open(io.BytesIO(data), formats=(kind,))
    except Exception as error:
        raise damaged() from error


def _check(image: PIL.ImageFile.ImageFile, passes: int, limits: Limits) -> None:
    width, height = image.size
    most = limits.max_pixels
    if image.format == "WEBP":
        most = min(most, MAX_WEBP)
    elif image.format in ("PNG", "BMP") or passes > 1 or "progressive" in image.info:
        most = min(most, MAX_WHOLE)
    _check_size(width, height, most)
    if width * height * passes > MAX_WORK:
        raise RequestError("IMAGE_TOO_COMPLEX", f"The image has {passes} scans, too many for its size")
    if any(tile.codec_name == "bmp_rle" for tile in image.tile):
        # Pillow decompresses such files byte by byte, in Python.
        raise RequestError("INVALID_IMAGE", "Run-length encoded BMP files are not supported")


def _check_size(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise RequestError("IMAGE_TOO_LARGE", f"The image has {width}x{height} pixels; the maximum is {most}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise RequestError(
            "INVALID_IMAGE", f"The image is too narrow: {width}x{height} pixels (maximum aspect ratio {MAX_ASPECT}:1)"
        )


def _check_rows(image: PIL.Image.Image, data: bytes) -> None:
    """Reject a PNG file whose compressed pixels end before the last row. Pillow leaves missing rows black."""
    width, height = image.size
    last = np.asarray(image.crop((0, height - 1, width, height)))
    if (not last.any() or png_structure.is_cut(data)) and png_structure.is_short(data):
        raise damaged()


def _check_same(pixels: NDArray[np.uint8], others: NDArray[np.uint8]) -> None:
    if not np.array_equal(pixels, others):
        raise damaged()


def _orientation(image: PIL.Image.Image) -> int:
    """Read the orientation from EXIF only. Pillow's `getexif` falls back to XMP, which browsers ignore."""
    tags = PIL.Image.Exif()
    try:
        tags.load(image.info.get("exif", b""))
        orientation = tags.get(_ORIENTATION_TAG, 1)
    except Exception:
        # A photo with malformed metadata is still valid: viewers show it as stored.
        return 1
    return orientation if orientation in _TURNS else 1


def _rgb(image: PIL.Image.Image, dropped: int) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):
        # Pillow clips 16-bit grey at 255 when it converts to RGB.
        samples = np.asarray(image).astype(np.uint32)
        grey = (samples >> dropped).clip(0, 255).astype(np.uint8)
        grey[samples == image.info.get("transparency", -1)] = 255
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = PIL.Image.alpha_composite(PIL.Image.new("RGBA", layer.size, "white"), layer)
    # Converting an RGB image would copy it.
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)


def _pixels(image: PIL.Image.Image, longest: int) -> NDArray[np.uint8]:
    """Return RGB pixels, scaled down to `longest`. Large images are converted in bands to avoid a full-size copy."""
    size = _within(*image.size, longest)
    # JPEG decoders can decode at 1/2, 1/4 or 1/8 size, with less work.
    image.draft(None, size)
    # Only the first `load` raises an error; later accesses silently return black for missing pixels.
    width, height = image.size
    image.load()
    if image.size != (width, height):
        # Loading a HEIC picture reveals its coded size, which may differ from the header.
        raise damaged()
    dropped = sixteen_bit.bits_to_drop(int(np.max(image.getextrema()))) if image.mode.startswith("I") else 0
    rows = max(_BAND // width, 1)
    if rows >= height:
        return _resized(_rgb(image, dropped), size)
    narrow = np.empty((height, size[0], 3), dtype=np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = _rgb(image.crop((0, top, width, bottom)), dropped)
        narrow[top:bottom] = _resized(band, (size[0], bottom - top))
    return _resized(narrow, size)


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _within(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return the size, scaled down if its longer side exceeds `longest`."""
    scale = min(1.0, longest / max(width, height))
    return max(round(width * scale), 1), max(round(height * scale), 1)
