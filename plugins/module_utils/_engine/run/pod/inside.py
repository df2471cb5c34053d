# SPDX-License-Identifier: GPL-3.0-or-later
"""What the containers of a validation pod do. Stands alone, as program.py beside it: Python 3.9 and later.

``inside.py run``      the notebook of this pod's index, by program.py; says the digest of its results to the kubelet.
``inside.py deliver``  prints the results as lines of base64, in a container that the notebook never was in.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile

BATCH, SOURCE, RESULTS, WORK, KEPT = "/batch", "/source", "/results", "/work", "/kept"
TERMINATION = "/dev/termination-log"
UNAVAILABLE = 66  # sysexits.h, EX_NOINPUT: how we end where the source is not what it should be
FILES = ("results.json", "executed.ipynb")
CHUNK = 9000  # bytes, 12,000 characters of base64: a container runtime splits lines of more than 16 KiB


def unpack(digest, target):
    """Unpack the source's archive, which comes in parts, below target. Exits where it is not what was sent."""
    data = b"".join(read(path) for path in sorted(glob.glob(os.path.join(SOURCE, "part-*"))))
    if hashlib.sha256(data).hexdigest() != digest:
        raise SystemExit("The source that was mounted is not the one that was sent.")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        # The archive is ours; where Python knows filters, a file of it still cannot leave the target.
        safe = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
        archive.extractall(target, **safe)


def copy(tree, target):
    """Copy the root of a source that is mounted as it is, without what no run sees."""
    root = os.path.join(SOURCE, tree["root"])
    if not os.path.isdir(root):
        unavailable(f"The source has no directory {tree['root']}: correct source.path.")
    rules = [re.compile(rule, re.DOTALL) for rule in tree["exclude"]]

    def unseen(directory, names):
        return [name for name in names if hidden(directory, name)]

    def hidden(directory, name):
        path = os.path.join(directory, name)
        if name in tree["never"] or any(rule.match(os.path.relpath(path, root)) for rule in rules):
            return True
        if os.path.islink(path):
            return False
        environment = any(os.path.exists(os.path.join(path, one)) for one in ("pyvenv.cfg", "conda-meta"))
        return environment or not (os.path.isdir(path) or os.path.isfile(path))

    def take(source, destination):
        shutil.copyfile(source, destination)
        os.chmod(destination, 0o777 if os.stat(source).st_mode & 0o100 else 0o666)

    try:
        shutil.copytree(root, target, symlinks=True, ignore=unseen, copy_function=take, dirs_exist_ok=True)
        for directory, _below, _files in os.walk(target):
            os.chmod(directory, 0o777)
    except (OSError, shutil.Error) as error:
        unavailable(f"The source cannot be read: {str(error)[:500]}.")


def unavailable(words):
    """End because of the source, and say why to the kubelet."""
    with open(TERMINATION, "w", encoding="utf-8") as file:
        file.write(words)
    sys.stderr.write(words + "\n")
    raise SystemExit(UNAVAILABLE)


def require_same(source, request):
    """End where the notebook is not the one that was named."""
    try:
        found = hashlib.sha256(read(os.path.join(source, request["notebook"]))).hexdigest()
    except OSError:
        unavailable(f"The source has no notebook {request['notebook']}: correct source.ref and source.path.")
    if found != request["sha256"]:
        unavailable(
            f"The notebook {request['notebook']} of the source is another one than path holds: give the commit of path as"
            " source.ref, or bring path up to date."
        )


def read(path):
    """Return the content of a file."""
    with open(path, "rb") as file:
        return file.read()


def asked():
    """Return what the pods of this Job are told, and the request of this pod's index."""
    batch = json.loads(read(os.path.join(BATCH, "batch.json")))
    return batch, batch["requests"][int(os.environ["JOB_COMPLETION_INDEX"])]


def run():
    """Run the notebook of this index."""
    batch, request = asked()
    source = os.path.join(WORK, "source")
    os.makedirs(source)
    if "tree" in batch:
        copy(batch["tree"], source)
        require_same(source, request)
    else:
        unpack(batch["source"], source)
    path = os.path.join(WORK, "request.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**request, "source": source, "output": RESULTS}, file)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import program

    program.harden()
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        program.run_request(path)
    # The kernel is dead by now, so nothing writes after us.
    size = sum(os.path.getsize(os.path.join(RESULTS, name)) for name in FILES)
    with open(TERMINATION, "w", encoding="utf-8") as file:
        file.write(f"{told.getvalue().strip()} {size}")


def deliver():
    """Print each file of the results: a line that names it, and its content; leave them on a claim where one is mounted."""
    trouble = keep() if "KEPT_BELOW" in os.environ else ""
    for name in FILES:
        data = read(os.path.join(RESULTS, name))
        say({"file": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        for start in range(0, len(data), CHUNK):
            sys.stdout.write(base64.b64encode(data[start : start + CHUNK]).decode() + "\n")
    say({"end": True, "trouble": trouble} if trouble else {"end": True})


def keep():
    """Copy the results to the claim, each file by one rename, where it does not hold the same; return what went wrong."""
    place = os.path.join(KEPT, os.environ["KEPT_BELOW"], asked()[1]["id"])
    try:
        os.makedirs(place, exist_ok=True)
        for name in FILES:
            data, path = read(os.path.join(RESULTS, name)), os.path.join(place, name)
            if os.path.isfile(path) and read(path) == data:
                continue
            with open(path + ".part", "wb") as file:
                file.write(data)
            os.replace(path + ".part", path)
    except OSError as error:
        return f"The results could not be left on the claim ({error.strerror})."
    return ""


def say(what):
    """Print a line that is no base64."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"run": run, "deliver": deliver}[sys.argv[1]]()
