# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the hub's users and administrators are, written down where it outlives the database: python -m notebook_hub.userlists.

JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN say which hub, by a token with `list:users`. Files are written where something has changed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

FILES = ("admin_users.txt", "user_whitelist.txt")  # administrators; all users
PAGE = 200
SECONDS = 30  # for one answer of the hub


def main(arguments: list[str] | None = None) -> int:
    """Return the status to end with; what is wrong is said in one sentence."""
    parser = argparse.ArgumentParser(description="Write down the hub's users and administrators.")
    parser.add_argument("--directory", type=Path, help="directory for a file of each change, and a link to the latest")
    parser.add_argument("--config-map", help="namespace/name of a ConfigMap to keep them in")
    given = parser.parse_args(arguments)
    try:
        lists = texts(users(os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"]))
    except KeyError as error:
        print(f"{error.args[0]} is not set: set it.")
        return 1
    except OSError as error:
        print(f"The hub did not name its users ({error}): see that it runs, and that the token may list users.")
        return 1
    if given.directory:
        for name, text in lists.items():
            write(given.directory, name, text)
    if given.config_map:
        asyncio.run(keep(*given.config_map.split("/"), lists))
    return 0


def users(url: str, token: str) -> list[dict]:
    """All users, page by page. Raises OSError."""
    found: list[dict] = []
    while True:
        request = urllib.request.Request(
            f"{url}/users?offset={len(found)}&limit={PAGE}", headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            page = json.load(answer)
        found += page
        if len(page) < PAGE:
            return found


def texts(found: list[dict]) -> dict[str, str]:
    """What each file has: a name a line."""
    everybody = sorted(user["name"] for user in found)
    admins = sorted(user["name"] for user in found if user.get("admin"))
    return {name: "".join(f"{one}\n" for one in names) for name, names in zip(FILES, (admins, everybody), strict=True)}


def write(directory: Path, name: str, text: str) -> None:
    """Write a new file beside those of before and point the link at it, unless the latest says the same."""
    link = directory / f"{name}-latest"
    if link.exists() and link.read_text(encoding="utf-8") == text:
        return
    path = directory / f"{name}-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%f}"
    path.write_text(text, encoding="utf-8")
    fresh = directory / f".{name}-latest"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(path.name)
    fresh.replace(link)


async def keep(namespace: str, name: str, lists: dict[str, str]) -> None:
    """Have a ConfigMap hold the lists: one read where it does already."""
    from kubernetes_asyncio import client, config

    try:
        config.load_incluster_config()
    except config.ConfigException:
        await config.load_kube_config()
    async with client.ApiClient() as session:
        api = client.CoreV1Api(session)
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=lists)
        try:
            found = await api.read_namespaced_config_map(name, namespace)
            if not lists.items() <= (found.data or {}).items():
                await api.patch_namespaced_config_map(name, namespace, body)
        except client.ApiException as error:
            if error.status != 404:
                raise
            await api.create_namespaced_config_map(namespace, body)


if __name__ == "__main__":
    sys.exit(main())
