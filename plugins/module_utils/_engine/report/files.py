# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on disk: what of it is ours, and how it is replaced without harm to anything else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ..values.errors import EngineError

# Says which files of the directory are ours, and from what they were made.
MANIFEST = ".notebook_report.json"
_OURS = re.compile(r"(?:report\.json|junit\.xml|index\.html|notebooks/[A-Za-z0-9_][\w.-]*\.(?:html|ipynb))", re.ASCII)


class Directory:
    """A report directory, and the manifest that an earlier report left in it.

    Raises EngineError when the path is something else than a directory that we may look into.
    """

    def __init__(self, root: Path):
        self.root = root
        for path in (root, root / "notebooks"):
            if os.path.lexists(path) and not path.is_dir():
                raise EngineError(f"{path} is not a directory: choose another report_dir.", code="report_dir_invalid")
        if (root / "notebooks").is_symlink():
            raise EngineError(
                f"{root / 'notebooks'} is a symbolic link: choose another report_dir.", code="report_dir_invalid"
            )
        try:
            self._manifest = self._load()
        except OSError as error:
            raise refusal(root, error) from None
        self.changed = False

    @property
    def state(self) -> str | None:
        """What the earlier report was made from."""
        return self._manifest.get("state")

    @property
    def overview(self) -> str:
        return str(self._manifest.get("overview") or "")

    @property
    def files(self) -> dict[str, dict]:
        """The files that an earlier report wrote: ``{path: {"sha256": ..., "made_from": ...}}``."""
        return self._manifest.get("files", {})

    def intact(self, paths: Iterable[str]) -> bool:
        """Say whether the earlier report wrote just these files and they still are what it wrote."""
        return set(paths) == set(self.files) and all(self._is(path, self.files[path]["sha256"]) for path in self.files)

    def fresh(self, path: str, made_from: str) -> bool:
        """Say whether the file is there as the earlier report made it from the same things."""
        known = self.files.get(path)
        return bool(known) and known.get("made_from") == made_from and self._is(path, known["sha256"])

    def check_foreign(self, paths: Iterable[str]) -> None:
        """Refuse to replace a file that no report wrote. Raises EngineError that names it."""
        for path in paths:
            if path not in self.files and os.path.lexists(self.root / path):
                raise EngineError(
                    f"{self.root / path} was not written by a report and is left alone: move it, or choose another report_dir.",
                    code="report_dir_invalid",
                )

    def begin(self, paths: Iterable[str]) -> None:
        """Claim the files that are about to be written, so that a run that is cut short leaves none that is nobody's."""
        claimed = {path: {"sha256": "", "made_from": ""} for path in paths}
        self._save("", self.overview, {**claimed, **self.files})

    def write(self, path: str, data: bytes) -> None:
        """Write one file whole or not at all, and not where it holds these bytes already."""
        if not self._is(path, hashlib.sha256(data).hexdigest()):
            self._replace(path, data)
            self.changed = True

    def finish(self, state: str, overview: str, made_from: dict[str, str]) -> None:
        """Remove the files of the earlier report that this one lacks, and note what was written from what."""
        for path in sorted(set(self.files) - set(made_from)):
            with contextlib.suppress(FileNotFoundError):
                (self.root / path).unlink()
                self.changed = True
        with contextlib.suppress(OSError):
            (self.root / "notebooks").rmdir()
        self._save(
            state,
            overview,
            {path: {"sha256": self._sha256(path), "made_from": made_from[path]} for path in sorted(made_from)},
        )

    def _load(self) -> dict:
        try:
            manifest = json.loads((self.root / MANIFEST).read_bytes())
            # A manifest that somebody altered must not make us remove what is not ours.
            files = {
                path: {"sha256": str(facts["sha256"]), "made_from": str(facts["made_from"])}
                for path, facts in manifest["files"].items()
                if _OURS.fullmatch(path)
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}
        return {**manifest, "files": files}

    def _save(self, state: str, overview: str, files: dict) -> None:
        manifest = {
            "about": "written by mlops.notebooks.notebook_report",
            "state": state,
            "overview": overview,
            "files": files,
        }
        self._manifest = manifest
        self._replace(MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())

    def _is(self, path: str, sha256: str) -> bool:
        return self._sha256(path) == sha256

    def _sha256(self, path: str) -> str | None:
        target = self.root / path
        if target.is_symlink() or not target.is_file():
            return None
        with target.open("rb") as stream:
            digest = hashlib.sha256()
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
        return digest.hexdigest()

    def _replace(self, path: str, data: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as stream:
                stream.write(data)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def refusal(root: Path, error: OSError) -> EngineError:
    """Turn what the operating system said into one sentence."""
    place = f"{error.filename}: " if isinstance(error.filename, str) and error.filename != str(root) else ""
    return EngineError(
        f"The report cannot be written to {root}: {place}{error.strerror or error}. Choose a report_dir that can be written to.",
        code="report_dir_invalid",
    )
