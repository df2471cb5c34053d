# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory or an archive as the binary source of a build."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ...values.errors import EngineError

_CHUNK = 1 << 20
_LEFT_OUT = (".git",)  # as oc start-build --from-dir


@dataclass(frozen=True)
class Upload:
    """stream: what is sent. size: bytes. digest: of the names, modes and contents, so that times do not count."""

    stream: BinaryIO
    size: int
    digest: str


@contextlib.contextmanager
def opened(path: str | None) -> Iterator[Upload | None]:
    """Yield the source at a path, packed on disk where it is a directory; None without a path.

    Raises EngineError (``invalid_input``) where it cannot be read.
    """
    if path is None:
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            if os.path.isdir(path):
                stream = stack.enter_context(tempfile.TemporaryFile())
                digest = _pack(path, stream)
            else:
                stream = stack.enter_context(open(path, "rb"))
                digest = _hash(stream, hashlib.sha256()).hexdigest()
        except OSError as error:
            raise EngineError(
                f"The source {path} cannot be read ({error.strerror}): give a directory or an archive that can."
            ) from None
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            raise EngineError(f"The source {path} is empty: give a directory or an archive that holds something.")
        yield Upload(stream, size, digest)


def _pack(top: str, stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for directory, folders, files in os.walk(top):
            folders[:] = sorted(folder for folder in folders if folder not in _LEFT_OUT)
            for name in sorted(files + folders):
                if name in _LEFT_OUT:
                    continue
                full = os.path.join(directory, name)
                archive.inodes.clear()  # a hard link is packed as the file that it is
                entry = archive.gettarinfo(full, os.path.relpath(full, top))
                if entry is None or not (entry.isreg() or entry.isdir() or entry.issym()):
                    continue  # sockets and devices are no source
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                digest.update(f"{entry.name}\0{entry.type!r}\0{entry.mode & 0o111}\0{entry.linkname}\0".encode())
                if not entry.isreg():
                    archive.addfile(entry)
                    continue
                with open(full, "rb") as content:
                    digest.update(_hash(content, hashlib.sha256()).digest())
                    content.seek(0)
                    archive.addfile(entry, content)
    return digest.hexdigest()


def _hash(stream: BinaryIO, digest):
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest
