# SPDX-License-Identifier: GPL-3.0-or-later
"""How an image is made: a Containerfile, the scripts of an S2I build, and the check of what came out."""

from __future__ import annotations

import json
import re
import shlex

from ...values.errors import EngineError
from ..interpreter import ABSENT
from ..strategy import ImageOptions
from . import wheels
from .base import BaseImage, usable_home
from .context import BuildContext
from .own import PLACE, OwnFile

# Where a build finds the settings of its ConfigMap and its Secret, while commands run.
SETTINGS = {"config_map": "/run/notebook-settings/config", "secret": "/run/notebook-settings/secret"}
# Grows when the same inputs would give another image.
RECIPE = 2
_PLACE = "/tmp/notebook-environment"  # noqa: S108 (in the image that is built)
_HOME = "/home/notebook"  # where the base has none that another UID could use

# One line of a POSIX shell, by which the settings hold for the commands after it and for nothing else.
PRELUDE = (
    f"for d in {' '.join(SETTINGS.values())}; do"
    ' if [ -f "$d/pip.conf" ]; then export PIP_CONFIG_FILE="$d/pip.conf"; fi;'
    ' c="$d/ca-bundle.crt"; if [ -f "$c" ]; then export PIP_CERT="$c" SSL_CERT_FILE="$c" REQUESTS_CA_BUNDLE="$c"; fi;'
    ' for n in http_proxy:HTTP_PROXY https_proxy:HTTPS_PROXY no_proxy:NO_PROXY; do f="$d/${n%:*}";'
    ' if [ -f "$f" ]; then v="$(cat "$f")"; export "${n%:*}=$v" "${n#*:}=$v"; fi;'
    " done; done"
)
# Into the image's own Python, whatever its settings are and whoever manages it (PEP 668): the image is ours.
_INTO_PYTHON = "export PIP_USER=0 PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore"

_CHECK = f"""{ABSENT}
import json, subprocess, sys
names, tests = sys.argv[1:], "[]"
if "--" in names:
    names, tests = names[:-2], names[-1]
lost = [name for name in names if absent(name)]
if lost:
    sys.exit("error: these modules cannot be imported: " + ", ".join(lost))
for test in json.loads(tests):
    status = subprocess.call(["/bin/sh", "-c", test], stdin=subprocess.DEVNULL)
    if status:
        sys.exit("error: the test failed with status " + str(status) + ": " + " ".join(test.split()))
""".strip()

_ASSEMBLE = """#!/bin/sh
# Installs the requirements of notebooks. OpenShift runs it in the image to build upon, as the user of that image.
set -eu
{prelude}
{settings}
cd /tmp/src
{commands}
"""

_RUN = """#!/bin/sh
echo "This image runs notebooks: give the pod a command, such as papermill IN.ipynb OUT.ipynb." >&2
exit 64
"""

# No option, nothing that a shell reads, and no minus at the end, by which apt-get removes.
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:_=~^-]*(?<!-)")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_MANAGERS = (
    ("apt-get", "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {}"
                " && apt-get clean && rm -rf /var/lib/apt/lists/*"),
    ("microdnf", "microdnf install -y --nodocs {} && microdnf clean all"),
    ("dnf", "dnf install -y --nodocs --setopt=install_weak_deps=0 {} && dnf clean all"),
    ("apk", "apk add --no-cache {}"),
)  # fmt: skip


def require_sound(options: ImageOptions) -> None:
    """Raise EngineError (``invalid_input``) for packages, labels and tests that no recipe takes."""
    for package in options.packages:
        if not _PACKAGE.fullmatch(package):
            raise EngineError(
                f"image.packages names {package!r}, which is no name of a package: give it as its package manager writes it, with a"
                " version or without."
            )
    for name, value in options.labels.items():
        if not _LABEL.fullmatch(name) or not value.isprintable():
            raise EngineError(
                f"image.labels has {name!r}, which cannot be a label of an image: its name has letters, digits and . _ / -, its"
                " value one line of text."
            )
    for test in options.tests:
        if not test.strip() or "\0" in test:
            raise EngineError("image.tests has an empty command: give what a shell can run, or leave it out.")


def containerfile(base: BaseImage, context: BuildContext, options: ImageOptions) -> str:
    """Return a Containerfile that installs the context's requirements into an image's own Python.

    Packages are installed as root, where every UID reads and none writes. The home belongs to group 0, which is what a pod
    under a random UID has (OpenShift, "Support arbitrary user IDs").
    """
    return "\n".join(
        (*_first_stage(base, context, options), f"FROM {base.reference}", *last_stage(base, context, options), "")
    )


def last_stage(base: BaseImage, context: BuildContext, options: ImageOptions, own: OwnFile | None = None) -> list[str]:
    """Return the instructions that complete a stage upon base. own: the user's file, which the stage is of."""
    source = f"{PLACE}/" if own else "."
    if options.multi_stage:
        # Mounted, the wheels are in no layer.
        mount = f"--mount=type=bind,from={wheels.STAGE},source={wheels.PLACE},target={wheels.PLACE} "
        steps = [PRELUDE, _INTO_PYTHON, *wheels.install(context)]
    else:
        mount = ""
        steps = [PRELUDE, *_install_packages(options), _INTO_PYTHON, *_in_place(context.commands())]
    told = base.home if own is None or own.home is None else usable_home(own.home)
    home = '"$HOME"' if own and own.home and told else shlex.quote(told or _HOME)
    steps += [f"mkdir -p {home}", f"chgrp -R 0 {home}", f"chmod -R g=u {home}"]
    return [
        "USER 0",
        *([] if told else [f"ENV HOME={_HOME}"]),
        *([] if options.multi_stage else [f"COPY {source} {_PLACE}/"]),
        _run(steps, mount, own.escape if own else "\\"),
        *(f"LABEL {name}={_quoted(value)}" for name, value in sorted(options.labels.items())),
        f"USER {(own and own.user) or base.run_user}",
    ]


def _first_stage(base: BaseImage, context: BuildContext, options: ImageOptions) -> list[str]:
    if not options.multi_stage:
        return []
    steps = [PRELUDE, *_install_packages(options), _INTO_PYTHON, *_in_place(wheels.build(context))]
    return [f"FROM {base.reference} AS {wheels.STAGE}", "USER 0", f"COPY . {_PLACE}/", _run(steps)]


def _in_place(commands: list[str]) -> list[str]:
    """Return commands as they work in the directory of the context, of which nothing stays."""
    return [f"cd {_PLACE}", *commands, "cd /", f"rm -rf {_PLACE}"]


def _run(steps: list[str], mount: str = "", escape: str = "\\") -> str:
    return f"RUN {mount}" + f" && {escape}\n    ".join(steps)


def _install_packages(options: ImageOptions) -> list[str]:
    """Return the command that installs packages with the manager that the image has."""
    if not options.packages:
        return []
    named = " ".join(options.packages)
    branches = [f"if command -v {tool} >/dev/null 2>&1; then {how.format(named)}" for tool, how in _MANAGERS]
    lost = "error: the image has none of " + ", ".join(tool for tool, _how in _MANAGERS) + " to install packages with"
    return ["; el".join(branches) + f"; else echo '{lost}' >&2; exit 1; fi"]


def _quoted(value: str) -> str:
    """Return a value as no builder reads anything into it: between single quotes all is meant as it stands."""
    return "'" + value.replace("'", "'\"'\"'") + "'"


def scripts(context: BuildContext) -> dict[str, str]:
    """Return the files that make a build of any image by S2I: ``.s2i/bin`` is looked for before the image's own scripts."""
    return {
        ".s2i/bin/assemble": _ASSEMBLE.format(
            prelude=PRELUDE, settings=_INTO_PYTHON, commands="\n".join(context.commands())
        ),
        ".s2i/bin/run": _RUN,
    }


def check(imports: dict, tests: tuple[str, ...] = ()) -> list[str]:
    """Return a command that ends with 0 where an image can run notebooks, import these modules and passes the tests.

    imports: top-level names, with the distribution expected to provide each; those that nothing provides are left out.
    tests: commands of a shell.
    """
    wanted = sorted(name for name, expected in imports.items() if expected)
    # Kubernetes and Tekton replace $(NAME) in a command; JSON can do without the character.
    told = json.dumps(tests).replace("$", "\\u0024")
    return ["python3", "-c", _CHECK, "papermill", "ipykernel", *wanted, *(("--", told) if tests else ())]
