# SPDX-License-Identifier: GPL-3.0-or-later
"""The image to build upon: its reference, and what it says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_S2I_SCRIPTS = "io.openshift.s2i.scripts-url"
# The grammar of github.com/distribution/reference, as far as it decides: path components, then a tag, a digest or both.
_REFERENCE = re.compile(
    r"(?:[a-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.IGNORECASE,
)
_INTERPRETER = re.compile(r"\d+(\.\d+)*|[/~.].*")
ROOT = ("", "0", "root")


@dataclass(frozen=True)
class BaseImage:
    """reference: by digest. user, env, labels: of the image's configuration."""

    reference: str
    digest: str
    user: str = ""
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def is_builder(self) -> bool:
        """Whether it is an S2I builder image, which says where its scripts are (OpenShift, "Creating S2I images")."""
        return bool(self.labels.get(_S2I_SCRIPTS))

    @property
    def scripts(self) -> str:
        """The directory with the scripts of an S2I builder image."""
        return self.labels[_S2I_SCRIPTS].removeprefix("image://").rstrip("/")

    @property
    def home(self) -> str | None:
        """The home directory of its user, None where there is none that a run could use."""
        return usable_home(self.env.get("HOME", ""))

    @property
    def run_user(self) -> str:
        """The user that a Containerfile ends with: the image's own; group 0 lets any other UID in its place."""
        if self.env.get("NB_UID"):
            return "${NB_UID}"
        return self.user if self.user.partition(":")[0] not in ROOT else "1001:0"


def usable_home(home: str) -> str | None:
    """Return a home directory, None for one that only root could use, or that is no directory of its own."""
    return home if home.strip("/") and home.rstrip("/") != "/root" else None


def is_image(base: str | None) -> bool:
    """Return whether a base is an image reference, and no interpreter."""
    return base is not None and not _INTERPRETER.fullmatch(base) and _REFERENCE.fullmatch(base) is not None


def digest_in(reference: str) -> str | None:
    """Return the digest that a reference names, None where it names none."""
    return reference.partition("@")[2] or None


def by_digest(reference: str, digest: str) -> str:
    """Return the reference with this digest in the place of its tag."""
    head, slash, last = reference.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}@{digest}"


def configuration(metadata: dict) -> dict:
    """Return ``user``, ``env`` and ``labels`` from the ``dockerImageMetadata`` of OpenShift's API."""
    config = metadata.get("Config") or {}
    env = dict(pair.partition("=")[::2] for pair in config.get("Env") or ())
    return {"user": config.get("User") or "", "env": env, "labels": dict(config.get("Labels") or {})}
