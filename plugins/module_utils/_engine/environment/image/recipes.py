# SPDX-License-Identifier: GPL-3.0-or-later
"""How an image is made: a Containerfile, the scripts of an S2I build, and the check of what came out."""

from __future__ import annotations

from ..interpreter import ABSENT
from .base import BaseImage
from .context import BuildContext

# Grows when the same inputs would give another image.
RECIPE = 1
_PLACE = "/tmp/notebook-environment"  # noqa: S108 (in the image that is built)

_CHECK = f"""{ABSENT}
import sys
lost = [name for name in sys.argv[1:] if absent(name)]
if lost:
    sys.exit("error: these modules cannot be imported: " + ", ".join(lost))
""".strip()

_ASSEMBLE = """#!/bin/sh
# Installs the requirements of notebooks. OpenShift runs it in the image to build upon, as the user of that image.
set -eu
export PIP_USER=0
cd /tmp/src
{commands}
"""

_RUN = """#!/bin/sh
echo "This image runs notebooks: give the pod a command, such as papermill IN.ipynb OUT.ipynb." >&2
exit 64
"""


def containerfile(base: BaseImage, context: BuildContext) -> str:
    """Return a Containerfile that installs the context's requirements into an image's own Python.

    Packages are installed as root, where every UID reads and none writes. The home belongs to group 0, which is what a pod
    under a random UID has (OpenShift, "Support arbitrary user IDs").
    """
    steps = [f"cd {_PLACE}", *context.commands(), "cd /", f"rm -rf {_PLACE}"]
    if base.home:
        steps += [f"chgrp -R 0 '{base.home}'", f"chmod -R g=u '{base.home}'"]
    return "\n".join(
        (
            f"FROM {base.reference}",
            "USER 0",
            "ENV PIP_USER=0",
            f"COPY . {_PLACE}/",
            "RUN " + " && \\\n    ".join(steps),
            f"USER {base.run_user}",
            "",
        )
    )


def scripts(context: BuildContext) -> dict[str, str]:
    """Return the files that make a build of any image by S2I: ``.s2i/bin`` is looked for before the image's own scripts."""
    return {
        ".s2i/bin/assemble": _ASSEMBLE.format(commands="\n".join(context.commands())),
        ".s2i/bin/run": _RUN,
    }


def check(imports: dict) -> list[str]:
    """Return a command that ends with 0 where an image can run notebooks and import these modules.

    imports: top-level names, with the distribution expected to provide each; those that nothing provides are left out.
    """
    wanted = sorted(name for name, expected in imports.items() if expected)
    return ["python3", "-c", _CHECK, "papermill", "ipykernel", *wanted]
