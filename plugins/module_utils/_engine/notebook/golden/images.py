# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare images by their pixels."""

from __future__ import annotations

import base64
import binascii
import io

RASTER = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
_MOST_PIXELS = 50_000_000


def difference(golden: str, executed: str, tolerance: float) -> str | None:
    """Return what tells two base64 images apart, as half a sentence, or None where they are equal.

    tolerance: root mean square of the difference of the pixels on white ground, 0 to 1.
    Where Pillow is absent only the same bytes are equal, and the answer says so.
    """
    try:
        before, after = _bytes(golden), _bytes(executed)
    except (binascii.Error, ValueError):
        return None if golden.strip() == executed.strip() else "the image is not valid base64"
    if before == after:
        return None
    try:
        from PIL import Image
    except ImportError:
        return "the bytes of the image differ (install Pillow for the interpreter of the module to compare pixels)"
    try:
        with Image.open(io.BytesIO(before)) as left, Image.open(io.BytesIO(after)) as right:
            if left.size != right.size:
                return f"the image has {_size(right)} pixels, the golden one {_size(left)}"
            if left.size[0] * left.size[1] > _MOST_PIXELS:
                return "the bytes of the image differ, and it is too large to compare pixels"
            distance = _distance(left, right)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "the bytes of the image differ, and one of them cannot be decoded"
    if distance <= tolerance:
        return None
    return f"the pixels differ by {distance:.1%} (root mean square), {tolerance:.1%} is allowed"


def as_png(data: str, mime: str) -> str | None:
    """Return the base64 image as base64 PNG, or None where it cannot be made one."""
    if mime == "image/png":
        return "".join(data.split())
    try:
        from PIL import Image

        with Image.open(io.BytesIO(_bytes(data))) as image:
            buffer = io.BytesIO()
            image.convert("RGBA").save(buffer, "PNG")
    except (ImportError, OSError, ValueError, SyntaxError):
        return None
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _bytes(data: str) -> bytes:
    return base64.b64decode("".join(data.split()), validate=True)


def _distance(left, right) -> float:
    from PIL import ImageChops, ImageStat

    bands = ImageStat.Stat(ImageChops.difference(_on_white(left), _on_white(right))).rms
    return (sum(band * band for band in bands) / len(bands)) ** 0.5 / 255


def _on_white(image):
    from PIL import Image

    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _size(image) -> str:
    return f"{image.size[0]} x {image.size[1]}"
