# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the hub's users and administrators are, kept in a ConfigMap as variables of the playbook: python -m notebook_hub.userlists NAMESPACE NAME.

JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN say which hub, by a token with `list:users`. Ends with 1 and one sentence where something is wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.error
import urllib.request

KEY = "users.yml"
SECONDS = 30  # for one answer of the hub


class BackupError(Exception):
    """One sentence on what kept the lists from being written, and what to do."""


def main(namespace: str, name: str) -> int:
    """Return the status to end with."""
    try:
        found = users(os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"])
        changed = asyncio.run(keep(namespace, name, written(found)))
    except BackupError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(found)} users: {'written' if changed else 'nothing has changed'}.")
    return 0


def users(url: str, token: str) -> list[dict]:
    """All users, page by page, however long the hub lets a page be."""
    found: list[dict] = []
    headers = {"Authorization": f"token {token}", "Accept": "application/jupyterhub-pagination+json"}
    while True:
        request = urllib.request.Request(f"{url}/users?offset={len(found)}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                page = json.load(answer)
        except urllib.error.HTTPError as error:
            advice = (
                "run the role again, which gives the hub its token" if error.code in (401, 403) else "look at its log"
            )
            raise BackupError(f"The hub does not name its users ({error}): {advice}.") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise BackupError(f"The hub at {url} does not answer ({reason}): see that it runs.") from None
        found += page["items"]
        if not page["_pagination"]["next"]:
            return found


def written(found: list[dict]) -> str:
    """Variables of the playbook; a text of JSON is one of YAML too."""
    lists = {
        "hub_admin_users": sorted(user["name"] for user in found if user["admin"]),
        "hub_users": sorted(user["name"] for user in found),
    }
    lines = ["---"]
    for variable, names in lists.items():
        lines += (
            [f"{variable}:", *(f"  - {json.dumps(one, ensure_ascii=False)}" for one in names)]
            if names
            else [f"{variable}: []"]
        )
    return "\n".join(lines) + "\n"


async def keep(namespace: str, name: str, text: str) -> bool:
    """Have the ConfigMap hold the text, and return whether that took a write."""
    from aiohttp import ClientError
    from kubernetes_asyncio import client, config

    try:
        config.load_incluster_config()
    except config.ConfigException:
        await config.load_kube_config()
    async with client.ApiClient() as session:
        api = client.CoreV1Api(session)
        try:
            there = await api.read_namespaced_config_map(name, namespace)
            if (there.data or {}).get(KEY) == text:
                return False
            await api.patch_namespaced_config_map(name, namespace, {"data": {KEY: text}})
        except client.ApiException as error:
            raise BackupError(
                f"The ConfigMap {name} was not written ({error.reason}): run the role again, which makes it."
            ) from None
        except (OSError, ClientError) as error:
            raise BackupError(
                f"The cluster does not answer ({error}): see what keeps the backup from its API server."
            ) from None
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
