# SPDX-License-Identifier: GPL-3.0-or-later
"""An assemble script around that of an S2I builder image, by which the build's settings hold for it too."""

from __future__ import annotations

from ..image.base import BaseImage
from ..image.recipes import PRELUDE

_ASSEMBLE = """#!/bin/sh
# Has the settings of the build hold for the image's own script.
set -eu
{prelude}
exec {directory}/assemble
"""


def wrapped(base: BaseImage) -> dict[str, str]:
    """Return the file that goes with the source; the image's other scripts stay its own."""
    return {".s2i/bin/assemble": _ASSEMBLE.format(prelude=PRELUDE, directory=base.scripts)}
