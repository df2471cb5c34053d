# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Containerfile of the user's should not do, in sentences with the line and what to do instead."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from .base import ROOT, digest_in
from .instructions import Instruction
from .own import OwnFile

_FLAGS = re.compile(r"^(?:--\S+\s+)+")
_COMMAND = re.compile(r"&&|\|\||[;|\n]")
_PIP = re.compile(r"(?:.*/)?pip[\d.]*")
# Options of `pip install` whose value is a word of its own (pip, "pip install", Options).
_VALUED = {
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-i", "--index-url", "--extra-index-url", "-f", "--find-links",
    "-t", "--target", "--prefix", "--root", "--platform", "--python-version", "--implementation", "--abi", "--no-binary",
    "--only-binary", "--trusted-host", "--cert", "--proxy", "--timeout", "--retries", "--log", "--cache-dir", "--upgrade-strategy",
    "-C", "--config-settings", "--global-option", "--use-feature", "--progress-bar", "--src", "--report",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?")
_LOOSE = re.compile(r"\s*(?:$|;|[<>!~]=?)")
_FILES = (".whl", ".tar.gz", ".zip")
_USER_ID = re.compile(r"\b(?:useradd|adduser)\b[^&;|\n]*?\s(?:-u|--uid)[ =]?\d+")
_GROUP_0 = re.compile(r"\s(?:-g|-G|--gid|--groups)[ =]?(?:0|root)\b")
_CHOWN = re.compile(r"\bchown\s+(?:-\S+\s+)*(?!-)([\w${}.-]+)(?::([\w${}.-]*))?(?=\s)")
_SECRET = {"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIALS", "APIKEY"}
_SECRET_KEYS = ("API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "SECRET_KEY")
_HARMLESS = ("FILE", "PATH", "DIR", "NAME", "URL")  # what says where a secret is
_LOGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/@:]*:[^\s/@$]+@", re.IGNORECASE)


def lint(own: OwnFile) -> tuple[str, ...]:
    """Return what a Containerfile should not do; no value that may be secret is in it."""
    found = []
    for stage in own.stages:
        if stage.image:
            found += [(stage.begin, words) for words in _image(stage.image)]
        no_cache = False
        for one in stage.instructions:
            no_cache = no_cache or (one.word == "ENV" and bool(one.pairs.get("PIP_NO_CACHE_DIR")))
            copied = own.copied_from(one)
            words = [*(_image(copied) if copied else ()), *_secrets(one), *_owner(one), *_run(one, no_cache)]
            found += [(one, text) for text in words]
    named = own.named_user()
    if named and own.is_root(named.value):
        found.append(
            (
                named,
                "ends as root, and the image ends as the user of its base instead: end it with a USER without root's rights",
            )
        )
    found += [(one, words) for one in own.last() if one.word == "USER" for words in _user(one)]
    ordered = sorted(found, key=lambda pair: pair[0].line)
    return tuple(dict.fromkeys(f"{own.name}, line {one.line}: it {words}." for one, words in ordered))


def _image(image: str) -> Iterator[str]:
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if not digest_in(image) and tag in ("", "latest"):
        yield f"builds upon {image}, which changes under it: name a version, or a digest"


def _user(one: Instruction) -> Iterator[str]:
    user, _colon, group = one.value.partition(":")
    if user.isdigit() and user not in ROOT and group not in ("0", "root"):
        yield (
            f"fixes a UID whose group is not 0, so another UID can write nothing: write USER {user}:0, and let group 0 write what it"
            " has to (chgrp -R 0, chmod -R g=u)"
        )


def _secrets(one: Instruction) -> Iterator[str]:
    for name in one.pairs if one.word in ("ENV", "ARG") else ():
        parts = name.upper().split("_")
        if parts[-1] not in _HARMLESS and (_SECRET & set(parts) or name.upper().endswith(_SECRET_KEYS)):
            yield (
                f"sets {name}, which looks like a secret and stays in the image for everybody to read: give it to pods, or to builds"
                " by build.settings_secret"
            )
    if _LOGIN.search(f"{one.value}\n{one.body}"):
        yield "holds an address with a login, which stays in the image: put it into the pip.conf of build.settings_secret"


def _owner(one: Instruction) -> Iterator[str]:
    owner = one.flags.get("chown", "") if one.word in ("COPY", "ADD") else ""
    user, _colon, group = owner.partition(":")
    if user.isdigit() and user not in ROOT and group not in ("0", "root"):
        yield f"gives files to a fixed UID, so another UID cannot write them: write --chown={user}:0, and chmod -R g=u"


def _run(one: Instruction, no_cache: bool) -> Iterator[str]:
    if one.word != "RUN":
        return
    text = f"{_FLAGS.sub('', one.value)}\n{one.body}"
    told = _USER_ID.search(text)
    if told and not _GROUP_0.search(told[0]) and not _GROUP_0.search(text):
        yield "makes a user with a fixed UID outside group 0, whom a pod's random UID is not: put the user into group 0 (-g 0)"
    chowned = [pair for pair in _CHOWN.findall(text) if pair[0] not in ROOT]
    if chowned and "g=u" not in text:
        yield "gives files to one user, so another UID cannot write them: give them to group 0 as well (chgrp -R 0, chmod -R g=u)"
    cached = no_cache or "type=cache" in one.flags.get("mount", "")
    for words in _installs(text):
        yield from _pip(words, cached)


def _installs(text: str) -> Iterator[list[str]]:
    """Yield the words after ``pip install`` of each such command."""
    for command in _COMMAND.split(text):
        try:
            words = shlex.split(command, comments=True)
        except ValueError:
            words = command.split()
        for at, word in enumerate(words):
            rest = words[at + 1 :]
            if _PIP.fullmatch(word) and "install" in rest and words[max(0, at - 1)] != "uv":
                begun = rest.index("install")
                yield [*rest[:begun], *rest[begun + 1 :]]
                break


def _pip(words: list[str], cached: bool) -> Iterator[str]:
    loose = [] if {"-c", "--constraint"} & set(words) else list(_unpinned(words))
    if loose:
        yield f"installs {', '.join(loose)} in whatever version there is: pin them with ==, or give a file of constraints (-c)"
    if not cached and "--no-cache-dir" not in words:
        yield "leaves pip's cache in the image: add --no-cache-dir"
    if "--user" in words:
        yield "installs into the home of one user, where another UID finds nothing: leave out --user, and install as root"


def _unpinned(words: Iterable[str]) -> Iterator[str]:
    skipped = False
    for word in words:
        if skipped or word.startswith("-"):
            skipped = not skipped and word in _VALUED
            continue
        name = _NAME.match(word)
        if name and _LOOSE.match(word, name.end()) and not word.endswith(_FILES):
            yield name[0]
