# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads: of files as ever, of buckets piece by piece, so that a large file does not fill the server's memory."""

from __future__ import annotations

import mimetypes

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import AuthenticatedFileHandler
from tornado import web


class Files(AuthenticatedFileHandler):
    """What /files/ answers."""

    @web.authenticated
    @authorized
    async def get(self, path, include_body=True):
        manager = self.contents_manager
        place = manager.place(path)
        if place is None:
            await super().get(path, include_body=include_body)
            return
        self.check_xsrf_cookie()
        known = await manager.store.file(*place) if place[1] else None
        if known is None or (not manager.allow_hidden and await manager.is_hidden(path)):
            raise web.HTTPError(404, f"There is no file {path}.")
        name = path.rsplit("/", 1)[-1]
        if self.get_argument("download", None) or name.endswith(".ipynb"):
            self.set_attachment_header(name)
        self.set_header("Content-Type", mimetypes.guess_type(name)[0] or "application/octet-stream")
        self.set_header("Content-Length", known["size"])
        if include_body:
            async for piece in manager.store.chunks(*place, known["size"]):
                self.write(piece)
                await self.flush()
