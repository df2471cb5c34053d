# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets beside the files of a Jupyter server, as folders of one folder; an image has it in its site-packages.

The rest of the tree stays what it is. Without a bucket in the environment there is no such folder, and with a store that does
not answer there is one that says so: the server starts in any case.
"""

from __future__ import annotations

import base64
import contextlib
import mimetypes
import os
import tempfile
from datetime import datetime, timezone

import nbformat
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado import web
from traitlets import Float, Integer, Unicode, default

from .files import Files
from .store import Store

__all__ = ["BucketTree"]
LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)
Place = tuple[str, str]  # bucket ("" for the folder of buckets) and key


class BucketTree(AsyncLargeFileManager):
    """The files of the server, and its buckets."""

    folder = Unicode(
        "buckets", config=True, help="The folder that buckets are in; a folder of files with this name is not seen."
    )
    most = Integer(10_000, config=True, help="How many entries of a folder of a bucket are listed.")
    seconds = Float(10, config=True, help="How long the store may take for an answer, files apart.")

    def __init__(self, **given):
        super().__init__(**given)
        self.store = Store(os.environ, self.seconds)
        self._uploads: dict[str, tempfile._TemporaryFileWrapper] = {}

    @default("files_handler_class")
    def _files_handler_class_default(self):
        return Files

    def place(self, path: str) -> Place | None:
        """Where in the buckets a path is, None where it is in the files."""
        top, _slash, rest = path.strip("/").partition("/")
        if top != self.folder or not self.store.names():
            return None
        bucket, _slash, key = rest.partition("/")
        return bucket, key

    async def is_hidden(self, path):
        place = self.place(path)
        if place is None:
            return await super().is_hidden(path)
        return any(part.startswith(".") for part in place[1].split("/"))

    async def file_exists(self, path):
        place = self.place(path)
        if place is None:
            return await super().file_exists(path)
        return bool(place[1]) and await self.store.file(*place) is not None

    async def dir_exists(self, path):
        place = self.place(path)
        if place is None:
            return await super().dir_exists(path)
        try:
            return (
                not place[0] or place[0] in self.store.names() and not place[1] or await self.store.has_folder(*place)
            )
        except web.HTTPError as error:
            if error.status_code == 404:
                return False
            raise

    def exists(self, path):
        place = self.place(path)
        # The server's own managers ask without waiting, and only about files.
        return super().exists(path) if place is None else self._exists(path)

    async def _exists(self, path: str) -> bool:
        return await self.file_exists(path) or await self.dir_exists(path)

    async def get_kernel_path(self, path, model=None):
        """Kernels of notebooks in buckets start in the folder of files."""
        return await super().get_kernel_path(path, model) if self.place(path) is None else ""

    async def get(self, path, content=True, type=None, format=None, require_hash=False):
        place = self.place(path)
        if place is None:
            model = await super().get(path, content=content, type=type, format=format, require_hash=require_hash)
            if not path.strip("/") and content and self.store.names():
                here = [one for one in model["content"] if one["name"] != self.folder]
                model["content"] = [*here, self._model(self.folder, "directory")]
            return model
        path = path.strip("/")
        known = await self.store.file(*place) if place[1] and type != "directory" else None
        if known is None:
            return await self._folder(path, place, content, type)
        if type is None:
            type = "notebook" if path.endswith(".ipynb") else "file"
        model = self._model(path, type, known)
        data = await self.store.read(*place) if content or require_hash else b""
        if content:
            self._fill(model, data, format)
        if require_hash:
            model.update(self._get_hash(data))
        self.emit(data={"action": "get", "path": path})
        return model

    async def _folder(self, path: str, place: Place, content: bool, asked: str | None) -> dict:
        if not await self.dir_exists(path):
            raise web.HTTPError(404, f"There is no {path}.")
        if asked not in (None, "directory"):
            raise web.HTTPError(400, f"{path} is a directory, not a {asked}", reason="bad type")
        model = self._model(path, "directory")
        if content:
            model |= {"format": "json", "content": await self._listing(path, place)}
        return model

    async def _listing(self, path: str, place: Place) -> list[dict]:
        if not place[0]:
            return [self._model(f"{path}/{name}", "directory") for name in await self.store.open_to_user()]
        folders, files, more = await self.store.children(*place, self.most)
        if more:
            self.log.warning("%s has more entries than the %s that are listed.", path, self.most)
        found = [self._model(f"{path}/{name}", "directory") for name in folders]
        found += [
            self._model(f"{path}/{name}", "notebook" if name.endswith(".ipynb") else "file", about)
            for name, about in files.items()
        ]
        return [one for one in found if self.allow_hidden or not one["name"].startswith(".")]

    def _model(self, path: str, kind: str, known: dict | None = None) -> dict:
        moment, size = (known["modified"], known["size"]) if known else (LONG_AGO, None)
        return {
            "name": path.rsplit("/", 1)[-1], "path": path, "type": kind, "created": moment, "last_modified": moment,
            "content": None, "format": None, "size": size, "writable": path != self.folder, "hash": None,
            "hash_algorithm": None, "mimetype": mimetypes.guess_type(path)[0] if kind == "file" else None,
        }  # fmt: skip

    def _fill(self, model: dict, data: bytes, format: str | None) -> None:
        """Put the content of a file or notebook into its model."""
        path = model["path"]
        try:
            if model["type"] == "notebook":
                model |= {"format": "json", "content": nbformat.reads(data.decode(), as_version=4)}
                self.mark_trusted_cells(model["content"], path)
                self.validate_notebook_model(model)
                return
            if format != "base64":
                model |= {"format": "text", "content": data.decode()}
        except (UnicodeDecodeError, nbformat.reader.NotJSONError) as error:
            if model["type"] == "notebook" or format == "text":
                raise web.HTTPError(400, f"{path} is no {format or 'notebook'}: {error}", reason="bad format") from None
        if model["format"] is None:
            model |= {"format": "base64", "content": base64.encodebytes(data).decode()}
        model["mimetype"] = model["mimetype"] or {"text": "text/plain"}.get(model["format"], "application/octet-stream")

    async def save(self, model, path=""):
        place = self.place(path)
        if place is None:
            return await super().save(model, path)
        path, chunk = path.strip("/"), model.get("chunk")
        if not place[1]:
            raise web.HTTPError(403, f"Only an administrator makes buckets: choose a folder in one of {self.folder}.")
        if "type" not in model or (model["type"] != "directory" and "content" not in model):
            raise web.HTTPError(400, f"What is to be saved as {path} has no type or no content.")
        if chunk in (None, 1):
            self.run_pre_save_hooks(model=model, path=path)
        if chunk is not None:
            return await self._take(path, place, model)
        message = None
        if model["type"] == "directory":
            await self.store.make_folder(*place)
        elif model["type"] == "notebook":
            notebook = nbformat.from_dict(model["content"])
            self.check_and_sign(notebook, path)
            await self.store.write(*place, nbformat.writes(notebook, version=nbformat.NO_CONVERT).encode())
            self.validate_notebook_model(model)
            message = model.get("message")
        else:
            await self.store.write(*place, self._data(model, path))
        self.emit(data={"action": "save", "path": path})
        found = await self.get(path, content=False, type=model["type"])
        return found | ({"message": message} if message else {})

    def _data(self, model: dict, path: str) -> bytes:
        try:
            return {"text": str.encode, "base64": base64.b64decode}[model.get("format")](model["content"])
        except (KeyError, ValueError):
            raise web.HTTPError(400, f"{path} is to be saved as text or base64, and is neither.") from None

    async def _take(self, path: str, place: Place, model: dict) -> dict:
        """One piece of an upload, which is gathered beside the files and sent when it is whole."""
        if model["chunk"] == 1:
            self._uploads[path] = tempfile.NamedTemporaryFile()  # noqa: SIM115
        piece = self._uploads.get(path)
        if piece is None:
            raise web.HTTPError(400, f"The upload of {path} has no beginning: start it again.")
        piece.write(self._data(model, path))
        if model["chunk"] != -1:
            return self._model(path, "file", {"modified": datetime.now(timezone.utc), "size": piece.tell()})
        piece.flush()
        with contextlib.closing(self._uploads.pop(path)):
            await self.store.upload(piece.name, *place)
        self.emit(data={"action": "save", "path": path})
        return await self.get(path, content=False, type="file")

    async def delete_file(self, path):
        place = self.place(path)
        if place is None:
            await super().delete_file(path)
            return
        self._refuse_buckets(path, place)
        if await self.store.file(*place) is not None:
            await self.store.delete(*place)
            return
        if not await self.dir_exists(path):
            raise web.HTTPError(404, f"There is no {path}.")
        # There is no trash in a bucket, so what JupyterLab says of folders without trash holds.
        if not self.always_delete_dir and not await self.store.is_empty(*place):
            raise web.HTTPError(400, f"{path} is not empty: delete first what is in it.")
        for key in await self.store.keys(*place):
            await self.store.delete(place[0], key)

    async def rename_file(self, old_path, new_path):
        source, target = self.place(old_path), self.place(new_path)
        if source is None and target is None:
            await super().rename_file(old_path, new_path)
            return
        for path, place in ((old_path, source), (new_path, target)):
            if place is not None:
                self._refuse_buckets(path, place)
        if old_path.strip("/") == new_path.strip("/"):
            return
        if await self.file_exists(new_path) or await self.dir_exists(new_path):
            raise web.HTTPError(409, f"There is already a {new_path}.")
        if await self.file_exists(old_path):
            await self._move_file(old_path, source, new_path, target)
        elif source and target:
            await self._move_folder(old_path, source, target)
        else:
            raise web.HTTPError(400, f"{old_path} is a folder, and only files are moved between buckets and files.")

    async def _move_file(self, old_path: str, source: Place | None, new_path: str, target: Place | None) -> None:
        if source and target:
            await self.store.copy(source, target)
        elif target:
            await self.store.upload(self._get_os_path(old_path.strip("/")), *target)
        else:
            await self.store.download(*source, self._get_os_path(new_path.strip("/")))
        if source:
            await self.store.delete(*source)
        else:
            os.unlink(self._get_os_path(old_path.strip("/")))

    async def _move_folder(self, path: str, source: Place, target: Place) -> None:
        if source[0] == target[0] and target[1].startswith(f"{source[1]}/"):
            raise web.HTTPError(400, f"{path} cannot be moved into itself.")
        keys = await self.store.keys(*source)
        if not keys:
            raise web.HTTPError(404, f"There is no {path}.")
        for key in keys:
            await self.store.copy((source[0], key), (target[0], target[1] + key[len(source[1]) :]))
        for key in keys:
            await self.store.delete(source[0], key)

    def _refuse_buckets(self, path: str, place: Place) -> None:
        if not place[1]:
            raise web.HTTPError(403, f"{path.strip('/')} is a bucket or the folder of them, and stays as it is.")

    async def copy(self, from_path, to_path=None):
        if self.place(from_path) is not None and not await self.file_exists(from_path):
            raise web.HTTPError(400, f"{from_path} is no file, and only files of buckets are copied.")
        return await super().copy(from_path, to_path)

    # A bucket has no checkpoints: the store's own versions are its past.
    async def create_checkpoint(self, path):
        if self.place(path) is None:
            return await super().create_checkpoint(path)
        return {"id": "none", "last_modified": datetime.now(timezone.utc)}

    async def list_checkpoints(self, path):
        return await super().list_checkpoints(path) if self.place(path) is None else []

    async def restore_checkpoint(self, checkpoint_id, path):
        if self.place(path) is not None:
            raise web.HTTPError(404, f"{path} has no checkpoints, since it is in a bucket.")
        await super().restore_checkpoint(checkpoint_id, path)

    async def delete_checkpoint(self, checkpoint_id, path):
        if self.place(path) is None:
            await super().delete_checkpoint(checkpoint_id, path)

    async def delete(self, path):
        if self.place(path) is None:
            await super().delete(path)
            return
        await self.delete_file(path.strip("/"))
        self.emit(data={"action": "delete", "path": path})

    async def rename(self, old_path, new_path):
        if self.place(old_path) is None and self.place(new_path) is None:
            await super().rename(old_path, new_path)
            return
        await self.rename_file(old_path, new_path)
        self.emit(data={"action": "rename", "path": new_path, "source_path": old_path})
