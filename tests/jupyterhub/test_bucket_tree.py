# SPDX-License-Identifier: GPL-3.0-or-later
"""Buckets beside the files of a user's server: a real Jupyter server, and moto as the store."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from hub_parts import needed  # noqa: E402
from tree_support import IMAGE, PYTHON, ROOT, S3, Lab  # noqa: E402

sys.path.insert(0, str(ROOT))
from tests.apiserver.pki import Authority  # noqa: E402

needed("jupyterhub", "moto")
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
SHARED = json.dumps(["public", "removed"])


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A store and its lab, and a lab whose store, with TLS, is down; all are started at once."""
    at, held = tmp_path_factory.mktemp, socket.socket()
    held.bind(("127.0.0.1", 0))  # bound and not listened to, the port refuses connections, and nobody else gets it
    down = held.getsockname()[1]
    certificate, key = (authority := Authority(at("pki"))).server()
    tls = (certificate, key, str(authority.file))
    store = S3(at("s3"))
    lab = Lab(at("lab"), store.url, SHARED_BUCKETS=SHARED)
    lost = Lab(at("lost"), f"https://127.0.0.1:{down}", SHARED_BUCKETS=SHARED, AWS_CA_BUNDLE=tls[2])
    store.wait("/moto-api/")
    store.put("own")
    store.put("public")
    for one in (lab, lost):
        one.wait("/api")
    yield {"lab": lab, "lost": lost, "store": store, "down": down, "held": held, "tls": tls, "place": at("late")}
    for one in (lab, lost, store):
        one.stop()


@pytest.fixture
def lab(everything):
    return everything["lab"]


@pytest.fixture
def store(everything):
    return everything["store"]


def saved(lab, path: str, kind: str = "file", **model) -> dict:
    status, answer = lab.ask("PUT", path, {"type": kind, **model})
    assert status in (200, 201), answer
    return answer


def test_buckets_are_beside_the_files(lab):
    (lab.files / "notes.txt").write_text("mine")
    assert lab.names("") == ["buckets", "notes.txt"]
    assert lab.names("buckets") == ["own", "public"]  # not what the store does not have


def test_folders_that_other_tools_have_made_are_seen(lab, store):
    store.put("own/data/2026/a b.csv", b"x,y\n")
    assert lab.names("buckets/own/data") == ["2026"] and lab.names("buckets/own/data/2026") == ["a b.csv"]
    status, found = lab.ask("GET", "buckets/own/data/2026/a b.csv")
    assert status == 200 and (found["content"], found["format"], found["size"]) == ("x,y\n", "text", 4)


def test_what_is_saved_is_in_the_bucket(lab, store):
    saved(lab, "buckets/own/plain.txt", content="text", format="text")
    saved(lab, "buckets/own/raw.bin", content=base64.b64encode(b"\0\xff").decode(), format="base64")
    saved(lab, "buckets/public/book.ipynb", "notebook", content=NOTEBOOK)
    assert store.get("own/plain.txt") == b"text" and store.get("own/raw.bin") == b"\0\xff"
    assert json.loads(store.get("public/book.ipynb"))["nbformat"] == 4
    assert lab.ask("GET", "buckets/own/raw.bin")[1]["format"] == "base64"
    status, book = lab.ask("GET", "buckets/public/book.ipynb", hash=1)
    assert status == 200 and book["type"] == "notebook" and book["content"]["cells"] == [] and book["hash"]


def test_a_notebook_is_made_saved_and_has_no_checkpoints(lab):
    saved(lab, "buckets/own/new", "directory")
    status, made = lab.ask("POST", "buckets/own/new", {"type": "notebook"})
    assert status == 201 and made["path"] == "buckets/own/new/Untitled.ipynb"
    assert lab.ask("POST", f"{made['path']}/checkpoints")[0] == 201
    assert lab.ask("GET", f"{made['path']}/checkpoints") == (200, [])
    assert lab.ask("POST", f"{made['path']}/checkpoints/none")[0] == 404


def test_an_upload_in_pieces_arrives_whole(lab, store):
    for chunk, text in ((1, b"one"), (2, b"two"), (-1, b"three")):
        saved(lab, "buckets/own/large.bin", content=base64.b64encode(text).decode(), format="base64", chunk=chunk)
    assert store.get("own/large.bin") == b"onetwothree"
    status, answer = lab.ask("PUT", "buckets/own/no.bin", {"type": "file", "format": "text", "content": "", "chunk": 2})
    assert status == 400 and "has no beginning" in answer["message"]


def test_downloads_come_from_the_bucket_and_from_the_files(lab, store):
    content = bytes(range(256)) * 40_000  # more than one piece
    store.put("own/big.bin", content)
    (lab.files / "small.txt").write_text("small")
    found = lab.download("buckets/own/big.bin")
    assert found.data == content and "big.bin" in found.headers["Content-Disposition"]
    assert lab.download("small.txt").data == b"small"
    assert lab.download("buckets/own/absent.bin").status == 404


@pytest.mark.parametrize(("old", "new"), [
    ("buckets/own/move/a.txt", "buckets/own/move/b.txt"),
    ("buckets/own/move/a.txt", "buckets/public/c.txt"),
    ("buckets/own/move/a.txt", "moved.txt"),
    ("here.txt", "buckets/own/move/d.txt"),
    ("buckets/own/move", "buckets/public/moved"),
])  # fmt: skip
def test_moving_takes_the_content_along(lab, store, old, new):
    store.put("own/move/a.txt", b"content")
    (lab.files / "here.txt").write_bytes(b"content")
    status, answer = lab.ask("PATCH", old, {"path": new})
    assert status == 200, answer
    assert lab.ask("GET", old)[0] == 404
    target = new if "." in new else f"{new}/a.txt"
    assert lab.ask("GET", target)[1]["content"] == "content"
    assert lab.ask("DELETE", target)[0] == 204 and lab.ask("GET", target)[0] == 404


REFUSED = [
    ("buckets/own", "buckets/mine", 403, "stays as it is"),
    ("keep.txt", "buckets/own/taken.txt", 409, "There is already"),
    ("buckets/own/tree", "buckets/own/tree/within", 400, "into itself"),
    ("buckets/own/tree", "tree", 400, "only files are moved"),
    ("folder", "buckets/own/folder", 400, "only files are moved"),
]


@pytest.mark.parametrize(("old", "new", "status", "words"), REFUSED)
def test_what_cannot_be_moved_stays_and_says_why(lab, store, old, new, status, words):
    store.put("own/tree/leaf.txt", b"leaf")
    store.put("own/taken.txt", b"taken")
    (lab.files / "keep.txt").write_text("keep")
    (lab.files / "folder").mkdir(exist_ok=True)
    found, answer = lab.ask("PATCH", old, {"path": new})
    assert found == status and words in answer["message"]
    assert store.get("own/tree/leaf.txt") == b"leaf" and store.get("own/taken.txt") == b"taken"
    assert (lab.files / "keep.txt").exists()


def test_copies_of_files_are_made_and_of_folders_refused(lab, store):
    store.put("own/copy/a.txt", b"content")
    status, made = lab.ask("POST", "buckets/own/copy", {"copy_from": "buckets/own/copy/a.txt"})
    assert status == 201 and store.get("own/copy/" + made["name"]) == b"content"
    status, made = lab.ask("POST", "", {"copy_from": "buckets/own/copy/a.txt"})
    assert status == 201 and (lab.files / made["name"]).read_bytes() == b"content"
    status, answer = lab.ask("POST", "", {"copy_from": "buckets/own/copy"})
    assert status == 400 and "only files of buckets are copied" in answer["message"]


def test_folders_go_when_they_are_empty(lab, store):
    saved(lab, "buckets/own/gone", "directory")
    store.put("own/gone/a.txt", b"content")
    status, answer = lab.ask("DELETE", "buckets/own/gone")
    assert status == 400 and "is not empty" in answer["message"] and store.get("own/gone/a.txt")
    assert lab.ask("DELETE", "buckets/own/gone/a.txt")[0] == 204
    assert lab.names("buckets/own/gone") == []
    assert lab.ask("DELETE", "buckets/own/gone")[0] == 204 and "gone" not in lab.names("buckets/own")
    assert lab.ask("DELETE", "buckets/own")[0] == 403 and lab.ask("DELETE", "buckets/own/never")[0] == 404


def test_a_folder_with_very_many_entries_is_listed_in_part(lab, store):
    for number in range(7):
        store.put(f"own/many/{number}.txt", b"x")
    assert len(lab.names("buckets/own/many")) == 5
    assert "buckets/own/many has more entries than the 5 that are listed" in lab.log.read_text()


def test_hidden_files_stay_hidden(lab, store):
    store.put("own/dots/.secret", b"x")
    store.put("own/dots/seen", b"x")
    assert lab.names("buckets/own/dots") == ["seen"]
    assert lab.download("buckets/own/dots/.secret").status == 404


@pytest.mark.parametrize(("path", "model", "status"), [
    ("buckets/new", {"type": "directory"}, 403),
    ("buckets/own/there.txt", {"type": "file"}, 400),
    ("buckets/own/x.txt", {"type": "file", "content": "x", "format": "none"}, 400),
    ("buckets/missing/x.txt", {"type": "file", "content": "x", "format": "text"}, 404),
])  # fmt: skip
def test_what_cannot_be_saved_is_refused(lab, store, path, model, status):
    store.put("own/there.txt", b"x")
    assert lab.ask("PUT", path, model)[0] == status


def test_a_file_that_is_no_notebook_says_so(lab, store):
    store.put("own/bad.ipynb", b"\xff")
    status, answer = lab.ask("GET", "buckets/own/bad.ipynb")
    assert status == 400 and "bad.ipynb is no notebook" in answer["message"]
    assert lab.ask("GET", "buckets/own/bad.ipynb", type="directory")[0] in (400, 404)


def asked_alone(tmp_path, path: str, before: str = "", **environ: str) -> subprocess.CompletedProcess:
    """What the tree says of a path, by itself and without a server."""
    program = f"""
import asyncio, sys
{before}
from bucket_tree import BucketTree
model = asyncio.run(BucketTree(root_dir=sys.argv[1]).get(sys.argv[2]))
print([one["name"] for one in model["content"]])
"""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BUCKET_"))}
    given |= {"PYTHONPATH": str(IMAGE), "PYTHONDONTWRITEBYTECODE": "1", **environ}
    command = [str(PYTHON), "-c", program, str(tmp_path), path]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)


def test_without_a_bucket_there_is_no_folder_of_them(tmp_path):
    (tmp_path / "buckets" / "of files").mkdir(parents=True)
    assert asked_alone(tmp_path, "buckets", SHARED_BUCKETS="no list").stdout == "['of files']\n"


def test_an_image_without_s3fs_starts_and_says_what_it_lacks(tmp_path):
    without = "sys.modules['s3fs'] = None; print('started')"
    answer = asked_alone(tmp_path, "buckets/own", without, BUCKET_NAME="own")
    assert answer.stdout == "started\n" and "This image shows no buckets, it lacks s3fs" in answer.stderr


def test_a_store_that_is_down_at_the_start_is_there_once_it_is_up(everything):
    """With TLS, and an authority that only the variable names."""
    lab = everything["lost"]
    saved(lab, "file.txt", content="works", format="text")
    assert lab.names("") == ["buckets", "file.txt"] and lab.names("buckets") == ["own", "public", "removed"]
    status, answer = lab.ask("GET", "buckets/own")
    assert status == 503 and f"https://127.0.0.1:{everything['down']} does not answer for own" in answer["message"]
    everything["held"].close()
    store = S3(everything["place"], everything["tls"], everything["down"])
    try:
        store.wait("/moto-api/")
        store.put("own")
        store.put("own/late.txt", b"late")
        assert lab.names("buckets/own") == ["late.txt"]
    finally:
        store.stop()
