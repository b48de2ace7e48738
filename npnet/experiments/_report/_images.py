"""Arrays as pictures in a page: small PNGs in its text, enlarged by the browser without smoothing.

Signed numbers are blue above zero, orange below, and the weaker the more transparent, so that they suit a
light and a dark page alike.
"""

from __future__ import annotations

import base64
import io
import math
from functools import cache
from html import escape
from pathlib import Path

import numpy as np
from numpy import ndarray
from PIL import Image

from npnet.shapes import Float

ABOVE, BELOW = (52, 110, 214), (222, 120, 8)
GAP = (0, 0, 0, 0)
NOTHING, FAINT = (128, 128, 128, 24), 0.1  # what is as good as zero, so that pictures stand out from the gaps
LEVELS = 127  # of strength; with both signs, the gap and nothing a picture has 256 colours, a byte each
STRENGTH = 0.7  # |value| to this power, as on the page of a trace: small numbers are brought out a little
WIDEST = 560  # pixels of the screen
LARGEST_CELL = 12
MOST_PIXELS = 1400  # across an embedded figure
COLOURS = 128  # of an embedded figure
MOST_BYTES = 700_000  # of a figure that goes into the page


def picture(image: Float[ndarray, "c h w"], says: str) -> str:
    """Return an image of any range, darkest value black, lightest white, in grey or in colour.

    Parameters
    ----------
    image : array, shape (1, h, w) or (3, h, w)
        Of another number of channels, the first is drawn.
    says : str
        For those who do not see it.

    Returns
    -------
    html : str
        An ``<img>``.
    """
    low, high = float(image.min()), float(image.max())
    levels = np.round(255 * (image.astype(np.float64) - low) / ((high - low) or 1)).astype(np.uint8)
    pixels = levels.transpose(1, 2, 0) if len(image) == 3 else levels[0]
    return _img(Image.fromarray(pixels), says)


def signed(pictures: Float[ndarray, "n h w"], says: str) -> str:
    """Return arrays side by side in one picture, the strongest colour for the largest absolute value of all.

    Parameters
    ----------
    pictures : array, shape (n, h, w)
    says : str

    Returns
    -------
    html : str
        An ``<img>``.
    """
    largest = float(np.abs(pictures).max()) or 1.0
    strength = (np.abs(pictures) / largest) ** STRENGTH
    level = np.ceil(LEVELS * strength) + np.where(pictures < 0, 1, 1 + LEVELS)
    sheet = Image.fromarray(_sheet(np.where(strength < FAINT, 1, level).astype(np.uint8)))
    sheet.putpalette(_signed_palette(), "RGBA")
    return _img(sheet, says)


@cache
def _signed_palette() -> bytes:
    """Return the colours of a gap, of nothing, and of all levels below and above zero."""
    strengths = [round(255 * level / LEVELS) for level in range(1, LEVELS + 1)]
    colours = [GAP, NOTHING, *((*sign, strength) for sign in (BELOW, ABOVE) for strength in strengths)]
    return bytes(value for colour in colours for value in colour)


def coloured(pictures: Float[ndarray, "n c h w"], says: str) -> str:
    """Return filters of three channels side by side, in the colours that they respond to.

    Parameters
    ----------
    pictures : array, shape (n, 3, h, w)
    says : str

    Returns
    -------
    html : str
        An ``<img>``.
    """
    largest = float(np.abs(pictures).max()) or 1.0
    levels = np.round(255 * (0.5 + pictures.transpose(0, 2, 3, 1) / (2 * largest)))
    opaque = np.full((*levels.shape[:3], 1), 255)
    return _img(Image.fromarray(_sheet(np.concatenate([levels, opaque], axis=3).astype(np.uint8))), says)


def figure_file(path: Path, says: str) -> str:
    """Return a figure that lies beside the page, in the page: a picture of few colours, a film as it is.

    Parameters
    ----------
    path : path
    says : str

    Returns
    -------
    html : str
        A ``<figure>``; of a file too large for the page, a link to it.
    """
    kind = path.suffix.removeprefix(".").lower()
    data = _few_colours(path) if kind == "png" else path.read_bytes()
    if len(data) > MOST_BYTES:
        name = escape(path.name)
        return f'<p class="remark">{escape(says)}: <a href="{name}">{name}</a>, beside this page</p>'
    image = f'<img class="paper" alt="{escape(says)}" src="{_uri(data, kind)}">'
    return f"<figure>{image}<figcaption>{escape(says)}</figcaption></figure>"


def _few_colours(path: Path) -> bytes:
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > MOST_PIXELS:
        image = image.resize(
            (MOST_PIXELS, round(image.height * MOST_PIXELS / image.width)), Image.Resampling.LANCZOS
        )
    return _png(image.quantize(COLOURS, dither=Image.Dither.NONE))


def _sheet(pictures: ndarray) -> ndarray:
    """Lay pictures (n, h, w) or (n, h, w, channels) out in rows, about twice as wide as high, with gaps of 0.

    Examples
    --------
    >>> _sheet(np.ones((4, 2, 2, 4), np.uint8)).shape
    (5, 8, 4)
    """
    n, height, width, *channels = pictures.shape
    gap = max(1, round(height / 14))
    columns = min(n, math.ceil(math.sqrt(2 * n)))
    rows = math.ceil(n / columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, *channels), np.uint8)
    for i, each in enumerate(pictures):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = each
    return sheet


def _img(image: Image.Image, says: str) -> str:
    cell = max(1, min(LARGEST_CELL, WIDEST // image.width))
    size = f'width="{cell * image.width}" height="{cell * image.height}"'
    return f'<img class="cells" alt="{escape(says)}" {size} src="{_uri(_png(image), "png")}">'


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, format="png")
    return written.getvalue()


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
