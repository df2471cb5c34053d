# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry of this machine, for one test session."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

USER, PASSWORD = "pusher", "secret-of-the-test"
# bcrypt, which is all that the registry takes.
_HTPASSWD = f"{USER}:$2y$05$pztENaPDnTTAUTPguLk6rOi/6xb7hL6ZXjVBwaf1bsW.8GcQxFHXO\n"
_CONFIG = """
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {place}/data}}}}
http: {{addr: "127.0.0.1:0"}}
"""
_AUTH = "auth: {{htpasswd: {{realm: test, path: {place}/htpasswd}}}}\n"


class Registry:
    """`docker-registry` on a port that the system chooses. closed: only USER with PASSWORD may read and write."""

    def __init__(self, place: Path, closed: bool = False):
        place.mkdir()
        (place / "htpasswd").write_text(_HTPASSWD)
        config = place / "config.yml"
        config.write_text((_CONFIG + (_AUTH if closed else "")).format(place=place))
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
        )
        self.address = self._listening()
        # Else it stops when the pipe is full.
        threading.Thread(target=self._process.stdout.read, daemon=True).start()

    def _listening(self) -> str:
        seen = []
        for line in self._process.stdout:
            seen.append(line)
            if found := re.search(r"listening on (127\.0\.0\.1:\d+)", line):
                return found[1]
        raise RuntimeError("".join(seen))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
