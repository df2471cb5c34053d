# SPDX-License-Identifier: GPL-3.0-or-later
"""A source tree as ConfigMaps: one archive in parts, the same bytes for the same content."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass

from ...notebook.discover import excluder
from ...values.errors import EngineError
from ..workspace import NEVER_COPIED, is_environment

PART = 900_000  # bytes; an object of Kubernetes may have 1 MiB, its other fields and base64 for etcd aside
MOST_PARTS = 20


@dataclass(frozen=True)
class Bundle:
    """digest: SHA-256 of the archive. parts: it, cut so that each fits into a ConfigMap."""

    digest: str
    parts: tuple[bytes, ...]


def pack(root: str, exclude: tuple[str, ...] = ()) -> Bundle:
    """Return the tree below root as a run sees it: without caches, environments, version control and what is excluded.

    Raises EngineError (``source_unavailable``) where it cannot be read, or is larger than ConfigMaps can hold.
    """
    stream = io.BytesIO()
    try:
        with (
            gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            _add(archive, root, "", excluder(exclude))
    except OSError as error:
        raise EngineError(f"The source {root} cannot be read ({error.strerror}).", "source_unavailable") from None
    data = stream.getvalue()
    if len(data) > PART * MOST_PARTS:
        raise EngineError(
            f"The source {root} takes {len(data)} bytes packed, and ConfigMaps carry {PART * MOST_PARTS}: leave out with"
            " exclude what the notebooks do not read.",
            "source_unavailable",
        )
    parts = tuple(data[start : start + PART] for start in range(0, len(data), PART))
    return Bundle(hashlib.sha256(data).hexdigest(), parts)


def _add(archive: tarfile.TarFile, root: str, below: str, excluded) -> None:
    with os.scandir(os.path.join(root, below)) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        name = below + entry.name
        if entry.name in NEVER_COPIED or excluded(name):
            continue
        if entry.is_dir(follow_symlinks=False) and is_environment(entry.path):
            continue
        if not (entry.is_symlink() or entry.is_dir() or entry.is_file()):
            continue  # sockets and devices
        _add_one(archive, entry.path, name)
        if entry.is_dir(follow_symlinks=False):
            _add(archive, root, name + "/", excluded)


def _add_one(archive: tarfile.TarFile, path: str, name: str) -> None:
    archive.inodes.clear()  # a hard link is packed as the file that it is
    info = archive.gettarinfo(path, name)
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    info.mode = 0o777 if info.isdir() or info.mode & 0o100 else 0o666
    if info.isreg():
        with open(path, "rb") as file:
            archive.addfile(info, file)
    else:
        archive.addfile(info)
