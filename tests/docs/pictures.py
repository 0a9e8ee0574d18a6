"""`python -m tests.docs.pictures` takes the pictures of docs/tour.md from a service with the sample photos."""

import io
from typing import Literal

import PIL.Image

from project.root import ROOT
from tests.browser import find
from tests.ui.pages import PHONE, Watched, started
from tests.ui.scenes import SCENES, peopled

FOLDER = ROOT / "docs" / "pictures"
WIDE, NARROW = 1100, PHONE[0]
COLOURS = 64
"""More make the files larger."""

# By name of the picture: scene, width and height from the top of the page, theme.
PICTURES: dict[str, tuple[str, tuple[int, int], Literal["light", "dark"]]] = {
    "compare": ("compare-same", (WIDE, 1305), "light"),
    "compare-phone": ("compare-different", (NARROW, 1360), "dark"),
    "enrol": ("gallery-upload", (WIDE, 1150), "light"),
    "search": ("search", (WIDE, 1290), "light"),
    "status": ("status", (WIDE, 1160), "dark"),
}


def main() -> None:
    """Take the pictures."""
    browser = find()
    if browser is None:
        raise SystemExit("there is no browser: run `python -m tests.browser`, or set CHROMIUM")
    FOLDER.mkdir(exist_ok=True)
    with peopled() as address, started(browser) as context:
        for name, (scene, (width, height), theme) in PICTURES.items():
            view, act = SCENES[scene]
            page = Watched(context, address).open(view)
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme)
            act(page)
            image = PIL.Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            page.close()
            image.quantize(COLOURS, PIL.Image.Quantize.MEDIANCUT).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
