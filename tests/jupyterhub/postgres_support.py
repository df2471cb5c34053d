# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server of PostgreSQL, as Debian has it, which lets nobody in without a password."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hub_parts import POSTGRES
from hub_support import free_port

USER, PASSWORD = "hub", "a-secret-word"


class Postgres:
    """A server of PostgreSQL that can be started, with the database `postgres`; it refuses to run as root."""

    def __init__(self, place: Path):
        self.data = place / "data"
        self.port = free_port()
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.data.mkdir()
        if self._as:
            shutil.chown(self.data, "postgres")
        (place / "password").write_text(PASSWORD, encoding="utf-8")
        login = ("--auth=scram-sha-256", f"--username={USER}", f"--pwfile={place / 'password'}")
        self._run("initdb", *login, "--no-sync", "--pgdata", self.data)

    def _run(self, program: str, *arguments) -> None:
        command = [*self._as, str(POSTGRES / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/")

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -c fsync=off -k {self.data}"
        self._run("pg_ctl", "--pgdata", self.data, "--wait", "--log", self.data / "log", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "--pgdata", self.data, "--mode=immediate", "stop")

    def query(self, text: str) -> str:
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        command = [str(POSTGRES / "psql"), *where, "-Atqc", text, "postgres"]
        given = {**os.environ, "PGPASSWORD": PASSWORD}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=given).stdout


@contextlib.contextmanager
def made():
    """A server that is not started, and is stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="mlops-postgres-") as place:  # below tmp_path no other user gets in
        os.chmod(place, 0o711)
        found = Postgres(Path(place))
        try:
            yield found
        finally:
            if (found.data / "postmaster.pid").exists():
                found.stop()
