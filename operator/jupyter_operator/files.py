# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a server starts with: a Secret and a ConfigMap."""

from __future__ import annotations

import base64
import json
import re
import secrets
from pathlib import Path

DIRECTORY = "/etc/jupyter-instance"  # of the container; no image has it
PORT = 8888
START = f"{DIRECTORY}/config/start.sh"
TOKEN = "token"
_PROFILE = "[ -f ~/.bashrc ] && source ~/.bashrc\n"
_SCRIPT = Path(__file__).with_name("start.sh")
_GOOD = re.compile(r"[-_.~A-Za-z0-9]{8,256}")  # what needs no escape in a URL


def name_of(notebook: str) -> str:
    """Return the name of the Secret, and of the ConfigMap."""
    return f"jupyter-{notebook}"


def token_of(secret: dict | None, status: dict) -> str:
    """Return the token: that of the Secret, else that which the status tells, else a new one."""
    kept = base64.b64decode(((secret or {}).get("data") or {}).get(TOKEN, "")).decode("ascii", "replace")
    told = ((status.get("jupyter") or {}).get("notebook") or {}).get("token")
    for known in (kept, told):
        if isinstance(known, str) and _GOOD.fullmatch(known):
            return known
    return secrets.token_urlsafe(32)


def secret_data(token: str) -> dict[str, str]:
    """Return the content of the Secret; the token stands where each generation of the server looks for it."""
    told = {name: {"token": token} for name in ("IdentityProvider", "ServerApp", "NotebookApp")}
    server = {name: told[name] for name in ("IdentityProvider", "ServerApp")}
    return {
        TOKEN: token,
        "jupyter_server_config.json": json.dumps(server),
        "jupyter_notebook_config.json": json.dumps({"NotebookApp": told["NotebookApp"]}),
    }


def config_data(notebook: str) -> dict[str, str]:
    """Return the content of the ConfigMap. Jupyter Server reads the first configuration, Notebook 6 the second."""
    options = {"base_url": f"/{notebook}/", "ip": "0.0.0.0", "port": PORT, "port_retries": 0}
    # The Host that browsers name is that of the proxy before the server.
    options |= {"allow_remote_access": True, "open_browser": False}
    return {
        "start.sh": _SCRIPT.read_text(encoding="utf-8"),
        "bash_profile": _PROFILE,
        "jupyter_server_config.json": json.dumps({"ServerApp": options}),
        "jupyter_notebook_config.json": json.dumps({"NotebookApp": options}),
    }
