# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage of a build that makes wheels: the program that runs in it, and what installs from them in the stage after it."""

from __future__ import annotations

import dataclasses
import shlex

from .context import PIP, BuildContext

STAGE = "notebook-wheels"
PLACE = "/tmp/notebook-wheels"  # noqa: S108 (in the image that is built)
_FILE = "notebook-environment-wheels.py"

# Runs in the image, by its Python, in the directory of the context. What is named by a path or an address becomes a wheel
# first, which the list of the next stage names by its version: that stage has neither network nor compiler to make it anew. The
# list is resolved anew there, so that what the base has already, and suits, stays.
_PROGRAM = '''"""Make the wheels of a requirement list: python3 THIS PLACE LIST [ARGUMENTS OF PIP]."""
import hashlib, os, re, shutil, subprocess, sys

place, listed, *arguments = sys.argv[1:]
LIST = "notebook-environment-wheels.txt"


def read(path):
    with open(path, encoding="utf-8") as stream:
        text = stream.read().replace("\\\\\\n", " ")
    for line in text.splitlines():
        line = re.sub(r"(^|\\s)#.*$", "", line).strip()
        inner = re.match(r"(?:-r|--requirement)[ =]+(?!\\S+://)(\\S+)$", line)
        if inner:
            yield from read(inner[1])
        elif line:
            yield line


def wheels(where, lines, *more):
    with open(LIST, "w", encoding="utf-8") as stream:
        stream.write("\\n".join(lines) + "\\n")
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "wheel", "--no-cache-dir"]
    status = subprocess.call([*pip, *more, "--wheel-dir", where, *arguments, "-r", LIST])
    if status:
        sys.exit(status)


os.makedirs(place)
lines = list(read(listed))
options = [line for line in lines if line.startswith("-")]
direct = [line for line in lines if not line.startswith("-") and ("://" in line or line.startswith((".", "/")))]
named = [line for line in lines if line not in options and line not in direct]
hashed = any("--hash" in line for line in lines) or "--require-hashes" in arguments
wanted = [*options, *(line for line in named if line != "pip")]  # which is here, whatever its version
kept = []
for number, line in enumerate(direct):
    where = os.path.join(place, "direct", str(number))
    wheels(where, [*options, line], "--no-deps")
    for name in os.listdir(where) if os.path.isdir(where) else ():
        path = os.path.join(where, name)
        bare = re.sub(r"\\s+--hash.*$", "", line).partition(" ; ")[0]
        extras = re.search(r"^[\\w.-]+\\s*(\\[[^\\]]*\\])\\s*@|egg=[\\w.-]+(\\[[^\\]]*\\])|^[./].*(\\[[^\\]]*\\])$", bare)
        extras = next(filter(None, extras.groups())) if extras else ""
        with open(path, "rb") as stream:
            digest = hashlib.sha256(stream.read()).hexdigest()
        wanted.append(path + extras + (" --hash=sha256:" + digest if hashed else ""))
        kept.append("{}{}=={}".format(*name.split("-")[:1], extras, name.split("-")[1]))
wheels(place, wanted)
shutil.rmtree(os.path.join(place, "direct"), ignore_errors=True)
for number, line in enumerate(options):
    constraint = re.match(r"(?:-c|--constraint)[ =]+(\\S+)$", line)
    if constraint and "://" not in constraint[1]:
        shutil.copy(constraint[1], os.path.join(place, "constraints-%d.txt" % number))
        line = "--constraint constraints-%d.txt" % number
    if constraint or line == "--pre":
        kept.append(line)
kept += [re.sub(r"\\s+--hash[= ]\\S+", "", line) for line in named]
with open(os.path.join(place, "list.txt"), "w", encoding="utf-8") as stream:
    stream.write("\\n".join(kept) + "\\n")
'''


def with_program(context: BuildContext) -> BuildContext:
    """Return the context with the program beside its lists."""
    return dataclasses.replace(context, files={**context.files, _FILE: _PROGRAM})


def build(context: BuildContext) -> list[str]:
    """Return the commands of a shell that make the wheels of each list, for the directory of the context."""
    return [
        shlex.join(("python3", _FILE, f"{PLACE}/{number}", name, *arguments))
        for number, (name, arguments) in enumerate(context.steps)
    ]


def install(context: BuildContext) -> list[str]:
    """Return the commands that install from the wheels, and from nothing else."""
    places = [f"{PLACE}/{number}" for number in range(len(context.steps))]
    return [f"{PIP} install --no-cache-dir --no-index --find-links {place} -r {place}/list.txt" for place in places]
