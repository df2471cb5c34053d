# SPDX-License-Identifier: GPL-3.0-or-later
"""One container: makes its namespaces, mounts its root, becomes its user, and turns into its command.

Stands alone (standard library, Python 3.10). The arguments are two file descriptors: a JSON specification is read from
the first; what prevents the start is written to the second, which closes by itself when the command begins.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 32, 4096, 16384
MS_PRIVATE = 1 << 18
NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_PIDS = 0x00020000, 0x04000000, 0x08000000, 0x20000000
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217}
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode() or None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount of {source} on {target}: {os.strerror(number)}")


def bind(root: str, entry: dict) -> None:
    """One bind mount; its mount point is made first."""
    source, target = entry["source"], root + entry["target"]
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            open(target, "w").close()
    mount(source, target, "none", MS_BIND | MS_REC)
    if entry.get("read_only"):
        nosuid = 0 if entry.get("system") else MS_NOSUID
        mount("none", target, "none", MS_BIND | MS_REMOUNT | MS_RDONLY | nosuid)


def system_directory(root: str, path: str, writable_above: bool) -> None:
    """A directory of the host: as a link where it is one, else read-only; as an overlay where mounts lie below it."""
    if os.path.islink(path):
        os.symlink(os.readlink(path), root + path)
    elif not writable_above:
        bind(root, {"source": path, "target": path, "read_only": True, "system": True})
    else:
        layers = [f"{root}/.layers{path}/{name}" for name in ("upper", "work")]
        for layer in (*layers, root + path):
            os.makedirs(layer)
        mount("overlay", root + path, "overlay", 0, f"lowerdir={path},upperdir={layers[0]},workdir={layers[1]}")


def build_root(spec: dict) -> None:
    root, binds = spec["root"], spec["binds"]
    mount("tmpfs", root, "tmpfs", 0, "mode=0755,size=2g")
    for path in ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.lexists(path):
            below = any(entry["target"].startswith(path + "/") for entry in binds)
            system_directory(root, path, below)
    for path in ("/proc", "/dev/shm", "/tmp", "/var/tmp", "/run", "/home", "/root"):
        os.makedirs(root + path)
    for path in ("/tmp", "/var/tmp"):
        os.chmod(root + path, 0o1777)
    mount("proc", root + "/proc", "proc")
    bind(root, {"source": "/sys", "target": "/sys", "read_only": True})
    mount("tmpfs", root + "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        bind(root, {"source": f"/dev/{name}", "target": f"/dev/{name}"})
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"{root}/dev/{name}")
    for entry in sorted(binds, key=lambda entry: entry["target"].count("/")):
        bind(root, entry)
    if spec["working_directory"] and not os.path.isdir(root + spec["working_directory"]):
        os.makedirs(root + spec["working_directory"])
    if spec["read_only_root"]:
        mount("none", root, "none", MS_BIND | MS_REMOUNT | MS_RDONLY)


def become(spec: dict) -> None:
    """The container's root, user, groups and rights."""
    socket.sethostname(spec["hostname"][:63])
    # Before the change of root, behind which Python may find none of its own files.
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    change_root(spec["root"])
    os.chdir(spec["working_directory"] or "/")
    for capability in range(last + 1):
        if capability not in spec["capabilities"]:
            _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setgroups(spec["groups"])
    os.setgid(spec["group"])
    os.setuid(spec["user"])
    if spec["no_new_privileges"]:
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def change_root(root: str) -> None:
    """Turn the mount at root into that of the namespace: in a mere chroot nobody may make a user namespace."""
    os.chdir(root)
    if _libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."):
        number = ctypes.get_errno()
        raise OSError(number, f"pivot_root to {root}: {os.strerror(number)}")
    if _libc.umount2(b".", MNT_DETACH):
        number = ctypes.get_errno()
        raise OSError(number, f"umount of the old root: {os.strerror(number)}")


def new_namespaces() -> None:
    if _libc.unshare(NEW_MOUNTS | NEW_UTS | NEW_IPC | NEW_PIDS):
        number = ctypes.get_errno()
        raise OSError(number, f"no new namespaces: {os.strerror(number)}")
    mount("none", "/", "none", MS_REC | MS_PRIVATE)


def run(spec: dict, status: int) -> int:
    """Process 1 of the container; returns only where the command could not be started."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        build_root(spec)
        become(spec)
    except Exception as error:  # whatever it is, the server must hear of it
        os.write(status, repr(error).encode())
        return 1
    program, why = spec["command"][0], "executable file not found in $PATH"
    # Not os.execvpe, which imports modules that the container's root does not hold.
    directories = [""] if "/" in program else spec["environment"].get("PATH", "").split(":")
    for directory in directories:
        try:
            os.execve(os.path.join(directory, program), spec["command"], spec["environment"])
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            why = error.strerror
    os.write(status, f'exec: "{program}": {why}'.encode())
    return 1


def main(spec_file: int, status: int) -> int:
    # When the server dies, so does this process, and with it process 1 and everything else in the container.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.set_inheritable(status, False)
    with os.fdopen(spec_file) as file:
        spec = json.load(file)
    new_namespaces()
    child = os.fork()
    if not child:
        os._exit(run(spec, status))
    os.close(status)
    ended = os.waitpid(child, 0)[1]
    return 128 + os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else os.WEXITSTATUS(ended)


if __name__ == "__main__":
    if sys.argv[1:] == ["probe"]:
        new_namespaces()
    else:
        sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
