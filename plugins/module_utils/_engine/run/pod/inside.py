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
import sys
import tarfile

BATCH, SOURCE, RESULTS, WORK = "/batch", "/source", "/results", "/work"
TERMINATION = "/dev/termination-log"
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


def read(path):
    """Return the content of a file."""
    with open(path, "rb") as file:
        return file.read()


def run():
    """Run the notebook of this index."""
    index = int(os.environ["JOB_COMPLETION_INDEX"])
    batch = json.loads(read(os.path.join(BATCH, "batch.json")))
    request = batch["requests"][index]
    source = os.path.join(WORK, "source")
    os.makedirs(source)
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
    """Print each file of the results: a line that names it, and its content."""
    for name in FILES:
        data = read(os.path.join(RESULTS, name))
        say({"file": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        for start in range(0, len(data), CHUNK):
            sys.stdout.write(base64.b64encode(data[start : start + CHUNK]).decode() + "\n")
    say({"end": True})


def say(what):
    """Print a line that is no base64."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"run": run, "deliver": deliver}[sys.argv[1]]()
