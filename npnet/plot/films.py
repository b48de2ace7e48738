"""Animations."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from npnet import check
from npnet.plot._arguments import Names, names, sequence
from npnet.plot._style import drawing
from npnet.plot.planes import CLASS_COLOURS, Surface, draw_surfaces

MOST_FRAMES = 1000
FRAME_TIME, LAST_FRAME_TIME = 120, 2500  # milliseconds
DOTS_PER_INCH = 100  # enough for a screen


@drawing
def film(frames: Sequence[Surface], class_names: Names, *, title: str = "") -> bytes:
    """Make an animation of a decision surface, which repeats after a pause on the last frame.

    Parameters
    ----------
    frames : sequence of Surface
        Up to 1000.
    class_names : sequence of str
        Up to eight.
    title : str

    Returns
    -------
    gif : bytes
        The contents of an animated GIF file.

    Raises
    ------
    InputError
        If there is no frame, or an argument does not fit as in `surfaces`.
    """
    class_names = names("film", class_names, most=len(CLASS_COLOURS))
    for frame in sequence("film", "frames", frames, most=MOST_FRAMES):
        check.instance("film", "frames", frame, Surface, "a list of Surface")
    images = [_image(draw_surfaces("film", [frame], class_names, 1, title)) for frame in frames]
    # All frames share one palette, or colours would flicker. Its nearly white entries become white: the paper
    # would be greyish, mixed with the palest colours of the surface.
    palette = images[-1].quantize(256)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    colours[(colours > 247).all(axis=1)] = 255
    palette.putpalette(colours.ravel().tolist())
    first, *others = (image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images)

    gif = io.BytesIO()
    times = [FRAME_TIME] * len(others) + [LAST_FRAME_TIME]
    first.save(gif, format="GIF", save_all=True, append_images=others, duration=times, loop=0)
    return gif.getvalue()


def _image(figure: Figure) -> Image.Image:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    return Image.open(drawn).convert("RGB")
