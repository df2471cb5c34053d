# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes of a pod as directories below the server's own one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..admission.pods import security
from ..auth import service_account_token
from .environment import MissingReference, data_of, field_of


class Volumes:
    """Makes the volumes of one pod; `MissingReference` names what lacks."""

    def __init__(self, server, pod: dict, directory: Path, claims: Path, address: str):
        self._server, self._pod, self._address = server, pod, address
        self._directory, self._claims = directory, claims
        self._group = security(pod["spec"]).get("fsGroup")
        self._namespace = pod["metadata"]["namespace"]

    def make(self) -> dict[str, Path]:
        """Every volume of the pod, by name."""
        made = {}
        for volume in self._pod["spec"].get("volumes") or []:
            kind = next((key for key in volume if key != "name"), "emptyDir")
            try:
                made[volume["name"]] = self._make(volume["name"], kind, volume.get(kind) or {})
            except MissingReference as missing:
                raise MissingReference(f'"{volume["name"]}" : {missing}') from None
        return made

    def _make(self, name: str, kind: str, source: dict) -> Path:
        if kind == "hostPath":
            return Path(source["path"])
        if kind == "persistentVolumeClaim":
            path = self._claims / self._namespace / source["claimName"]
            self._writable(path)
            return path
        path = self._directory / name
        if kind in {"emptyDir", "ephemeral"}:
            self._writable(path)
            return path
        files = self._files(kind, source)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        path.chmod(0o755)
        for relative, (content, mode) in files.items():
            self._write(path / relative, content, mode)
        return path

    def _writable(self, path: Path) -> None:
        """A directory for everybody, and for the pod's group where it has one."""
        if not path.is_dir():
            path.mkdir(parents=True)
            path.chmod(0o777)
        if self._group is not None:
            os.chown(path, -1, self._group)
            path.chmod(0o2777)

    def _write(self, path: Path, content: bytes, mode: int) -> None:
        for parent in reversed(path.relative_to(self._directory).parents[:-1]):
            (self._directory / parent).mkdir(mode=0o755, exist_ok=True)
        path.write_bytes(content)
        if self._group is not None:
            os.chown(path, -1, self._group)
            mode |= 0o440
        path.chmod(mode)

    def _files(self, kind: str, source: dict, default_mode: int | None = None) -> dict[str, tuple[bytes, int]]:
        mode = source.get("defaultMode", 0o644) if default_mode is None else default_mode
        if kind == "configMap":
            return self._keys("configmaps", source.get("name", ""), source, mode)
        if kind == "secret":
            return self._keys("secrets", source.get("secretName") or source.get("name", ""), source, mode)
        if kind == "downwardAPI":
            items = source.get("items") or []
            return {entry["path"]: (self._field(entry).encode(), entry.get("mode", mode)) for entry in items}
        if kind == "serviceAccountToken":
            return {source["path"]: (self._token(source).encode(), mode)}
        if kind == "projected":
            merged: dict[str, tuple[bytes, int]] = {}
            for entry in source.get("sources") or []:
                for part, details in entry.items():
                    merged |= self._files(part, details, mode)
            return merged
        raise MissingReference(f"volumes of kind {kind} cannot be mounted here")

    def _keys(self, plural: str, name: str, source: dict, mode: int) -> dict[str, tuple[bytes, int]]:
        try:
            data = data_of(self._server, plural, self._namespace, name)
        except MissingReference:
            if source.get("optional"):
                return {}
            raise
        if not source.get("items"):
            return {key: (value, mode) for key, value in data.items()}
        files = {}
        for item in source["items"]:
            if item["key"] in data:
                files[item["path"]] = (data[item["key"]], item.get("mode", mode))
            elif not source.get("optional"):
                raise MissingReference(f"references non-existent config key: {item['key']}")
        return files

    def _field(self, entry: dict) -> str:
        if reference := entry.get("fieldRef"):
            return field_of(self._pod, reference["fieldPath"], self._address)
        return ""

    def _token(self, source: dict) -> str:
        spec = {"expirationSeconds": source.get("expirationSeconds", 3600)}
        spec["boundObjectRef"] = {"kind": "Pod", "name": self._pod["metadata"]["name"]}
        if source.get("audience"):
            spec["audiences"] = [source["audience"]]
        account = self._pod["spec"].get("serviceAccountName", "default")
        if self._server.system.find("serviceaccounts", self._namespace, account) is None:
            raise MissingReference(f'serviceaccount "{account}" not found')
        return service_account_token(self._server, self._namespace, account, spec)["token"]
