# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd for the current user on 127.0.0.1, with keys of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def serve(directory: Path):
    """Make the keys ``host`` and ``user`` in the directory, and take connections that show the latter; yields the port."""
    program = shutil.which("sshd") or ("/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else None)
    if not program:
        reason = "no sshd here: install the package openssh-server"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    os.makedirs("/run/sshd", exist_ok=True) if os.geteuid() == 0 else None
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
    (directory / "authorized").write_bytes((directory / "user.pub").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (directory / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/authorized\n"
        f"PidFile {directory}/sshd.pid\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
    )
    with subprocess.Popen(
        [program, "-D", "-e", "-f", directory / "sshd_config"], stderr=subprocess.PIPE, text=True
    ) as server:
        for line in server.stderr:
            if "listening on 127.0.0.1" in line:
                break
        else:
            pytest.fail("sshd did not start")
        yield port
        server.terminate()
