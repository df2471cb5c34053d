# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tree of files needs of S3, in the loop of the server; nothing is asked before the first use."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping

from tornado import web

CHUNK = 8 * 2**20  # bytes of a download at once


class Store:
    """The buckets that the environment names.

    Folders are what stands before a slash in a key, whoever has put it there; an empty one is a key that ends with a slash.
    Errors are HTTPErrors with a sentence. seconds: for one answer of the store, transfers of files apart.
    """

    def __init__(self, environ: Mapping[str, str], seconds: float):
        self.own = environ.get("BUCKET_NAME") or environ.get("AWS_S3_BUCKET") or ""
        self._shared = _names(environ.get("SHARED_BUCKETS") or "[]")
        self._endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("S3_ENDPOINT_URL") or None
        self._seconds, self._made = seconds, None

    def names(self) -> list[str]:
        """All buckets that the environment names, the user's own first."""
        return list(dict.fromkeys(filter(None, [self.own, *self._shared])))

    async def open_to_user(self) -> list[str]:
        """The own bucket, and those shared ones that the store does not refuse; all of them where it does not answer."""
        names = self.names()
        probes = await asyncio.gather(*(self._is_refused(name) for name in names))
        return [name for name, refused in zip(names, probes, strict=True) if name == self.own or not refused]

    async def _is_refused(self, bucket: str) -> bool:
        try:
            await self._call(bucket, "head_bucket")
        except web.HTTPError as error:
            return error.status_code in (403, 404)
        return False

    async def file(self, bucket: str, key: str) -> dict | None:
        """Size and LastModified of a file, None where there is none."""
        try:
            found = await self._call(bucket, "head_object", Key=key)
        except web.HTTPError as error:
            if error.status_code == 404:
                return None
            raise
        return {"size": found["ContentLength"], "modified": found["LastModified"]}

    async def has_folder(self, bucket: str, key: str) -> bool:
        if not key:
            await self._call(bucket, "head_bucket")
            return True
        found = await self._call(bucket, "list_objects_v2", Prefix=f"{key}/", MaxKeys=1)
        return bool(found.get("KeyCount"))

    async def is_empty(self, bucket: str, key: str) -> bool:
        found = await self._call(bucket, "list_objects_v2", Prefix=f"{key}/", MaxKeys=2)
        return all(one["Key"] == f"{key}/" for one in found.get("Contents") or [])

    async def children(self, bucket: str, key: str, most: int) -> tuple[list[str], dict[str, dict], bool]:
        """The names of the folders, the files by name, and whether there are more than `most`."""
        prefix = f"{key}/" if key else ""
        folders, files = [], {}
        async for page in self._pages(bucket, Prefix=prefix, Delimiter="/"):
            folders += [one["Prefix"][len(prefix) :].rstrip("/") for one in page.get("CommonPrefixes") or []]
            for one in page.get("Contents") or []:
                if one["Key"] != prefix:
                    files[one["Key"][len(prefix) :]] = {"size": one["Size"], "modified": one["LastModified"]}
            if len(folders) + len(files) > most:
                return folders[:most], dict(list(files.items())[: most - len(folders[:most])]), True
        return list(filter(None, folders)), files, False

    async def keys(self, bucket: str, key: str) -> list[str]:
        """All keys below a folder, with that which stands for the folder itself."""
        return [
            one["Key"] async for page in self._pages(bucket, Prefix=f"{key}/") for one in page.get("Contents") or []
        ]

    async def _pages(self, bucket: str, **asked) -> AsyncIterator[dict]:
        while True:
            page = await self._call(bucket, "list_objects_v2", **asked)
            yield page
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    async def read(self, bucket: str, key: str) -> bytes:
        with self._told(bucket, key):
            return await (await self._fs())._cat_file(f"{bucket}/{key}")

    async def chunks(self, bucket: str, key: str, size: int) -> AsyncIterator[bytes]:
        """A file of so many bytes, piece by piece."""
        with self._told(bucket, key):
            fs = await self._fs()
            for start in range(0, size, CHUNK):
                yield await fs._cat_file(f"{bucket}/{key}", start=start, end=min(size, start + CHUNK))

    async def write(self, bucket: str, key: str, content: bytes) -> None:
        with self._told(bucket, key):
            await (await self._fs())._pipe_file(f"{bucket}/{key}", content)

    async def upload(self, path: str, bucket: str, key: str) -> None:
        """Put a file of the disk into the bucket."""
        with self._told(bucket, key):
            await (await self._fs())._put_file(path, f"{bucket}/{key}")

    async def download(self, bucket: str, key: str, path: str) -> None:
        with self._told(bucket, key):
            await (await self._fs())._get_file(f"{bucket}/{key}", path)

    async def make_folder(self, bucket: str, key: str) -> None:
        await self._call(bucket, "put_object", Key=f"{key}/", Body=b"")

    async def copy(self, source: tuple[str, str], target: tuple[str, str]) -> None:
        """Copy one key; the store does it, in parts where it is large."""
        if source[1].endswith("/"):
            await self._call(target[0], "put_object", Key=target[1], Body=b"")
            return
        with self._told(*source):
            await (await self._fs())._cp_file("/".join(source), "/".join(target))

    async def delete(self, bucket: str, key: str) -> None:
        await self._call(bucket, "delete_object", Key=key)

    async def _call(self, bucket: str, method: str, **asked) -> dict:
        with self._told(bucket, asked.get("Key") or asked.get("Prefix") or ""):
            return await asyncio.wait_for((await self._fs())._call_s3(method, Bucket=bucket, **asked), self._seconds)

    async def _fs(self):
        if self._made is None:
            from s3fs import S3FileSystem

            # By path, and checksums only where a call requires them: other stores than Amazon's may know no other way.
            config = {
                "connect_timeout": self._seconds,
                "retries": {"max_attempts": 1},
                "s3": {"addressing_style": "path"},
            }
            config |= {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
            made = S3FileSystem(
                asynchronous=True, loop=asyncio.get_running_loop(), skip_instance_cache=True, use_listings_cache=False,
                endpoint_url=self._endpoint, config_kwargs=config,
            )  # fmt: skip
            await made.set_session()
            self._made = made
        return self._made

    @contextlib.contextmanager
    def _told(self, bucket: str, key: str):
        path = f"{bucket}/{key}".rstrip("/")
        try:
            yield
        except (web.HTTPError, asyncio.CancelledError, GeneratorExit):
            raise
        except ImportError:
            raise web.HTTPError(
                501, "This image shows no buckets, it lacks s3fs: install it, or choose another image."
            ) from None
        except FileNotFoundError:
            raise web.HTTPError(404, f"There is no {path} in the store.") from None
        except PermissionError:
            raise web.HTTPError(403, f"The store does not let you into {path}: ask whoever owns the bucket.") from None
        except Exception as error:
            why = str(error) or type(error).__name__
            raise web.HTTPError(
                503, f"The store {self._endpoint or 'S3'} does not answer for {path}: {why}."
            ) from error


def _names(text: str) -> list[str]:
    """The list that JSON says; empty where it says no list."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
