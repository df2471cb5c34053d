# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub's whole configuration, by what the role has written; whoever runs the hub has the last word in jupyterhub_config.d."""

from __future__ import annotations

import sys
from pathlib import Path

from . import buckets, login, profiles, servers, told
from .settings import PLACE, SettingsError, read, secret

CULLER = ["list:users", "read:users:activity", "read:servers", "delete:servers"]


def configure(c) -> None:
    """Set all of it; ends the process with one sentence where settings are wrong."""
    try:
        settings = read()
        _hub(c, settings)
        _database(c, settings["database"])
        _services(c)
        login.configure(c, settings)
        servers.configure(c, settings)
        _starts(c, settings)
    except SettingsError as error:
        sys.exit(str(error))
    _layers(c, PLACE / "jupyterhub_config.d")


def _hub(c, settings: dict) -> None:
    hub = c.JupyterHub
    hub.base_url = settings.get("base_url") or "/"
    hub.hub_bind_url = "http://:8081"
    hub.cleanup_servers = False
    if settings.get("public_url"):
        hub.public_url = settings["public_url"]
    if settings.get("hub_connect_url"):
        hub.hub_connect_url = settings["hub_connect_url"]
    if settings.get("proxy_api_url"):
        c.ConfigurableHTTPProxy.api_url = settings["proxy_api_url"]
        c.ConfigurableHTTPProxy.should_start = False
        hub.cleanup_proxy = False
    c.ConfigurableHTTPProxy.auth_token = _needed("proxy-token")
    hub.cookie_secret = _bytes(_needed("cookie-secret"))
    c.CryptKeeper.keys = [_needed("crypt-key")]


def _needed(key: str) -> str:
    found = secret(key)
    if not found:
        raise SettingsError(f"The Secret has no {key}: run the role again, which makes it.")
    return found


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()


def _database(c, database: dict) -> None:
    url = secret("database-url")
    if not url and database.get("kind") == "postgresql":
        from sqlalchemy.engine import URL

        for name in ("host", "name", "user"):
            if not database.get(name):
                raise SettingsError(
                    f"hub.json: database has no {name}, and the Secret no database-url: add one of them."
                )
        made = URL.create(
            "postgresql+psycopg2",
            username=database["user"],
            password=secret("database-password") or None,
            host=database["host"],
            port=database.get("port") or 5432,
            database=database["name"],
        )
        url = made.render_as_string(hide_password=False)
    c.JupyterHub.db_url = url or f"sqlite:///{database.get('path') or '/tmp/jupyterhub.sqlite'}"


def _services(c) -> None:
    """Tokens that the role has made, and what they are good for."""
    roles = {"culler": CULLER, "metrics": ["read:metrics"], "backup": ["list:users"]}
    given = {name: token for name in roles if (token := secret(f"{name}-token"))}
    c.JupyterHub.services = [{"name": name, "api_token": token} for name, token in given.items()]
    c.JupyterHub.load_roles = [{"name": name, "scopes": roles[name], "services": [name]} for name in given]


def _starts(c, settings: dict) -> None:
    """What happens at the start of each server."""
    offered = profiles.Profiles(settings)
    c.KubeSpawner.profile_list = offered.listed

    async def before(spawner) -> None:
        profiles.unmarked(spawner)
        offered.admit(spawner)
        if settings["buckets"].get("enabled"):
            await buckets.prepare(spawner, settings)

    c.KubeSpawner.pre_spawn_hook = before
    c.KubeSpawner.post_stop_hook = profiles.forgotten
    from kubespawner import KubeSpawner

    spawner = told.telling(KubeSpawner)
    c.JupyterHub.spawner_class = buckets.deleting(spawner, settings) if settings["buckets"].get("enabled") else spawner


def _layers(c, directory: Path) -> None:
    """Run the user's own files, in the order of their names."""
    for path in sorted(directory.glob("*.py")):
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {"c": c, "__file__": str(path)})
