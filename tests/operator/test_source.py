# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories, fetched by whatever names a commit, with credentials that nobody sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests" / "playbooks")]
from git_server import certificate, serve  # noqa: E402
from notebook_operator import source  # noqa: E402
from notebook_operator.source import Repository, fetch  # noqa: E402

PASSWORD = "hunter2-is-long"


def git(directory: Path, *words: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(
        ["git", *names, *words], cwd=directory, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A repository with an old commit, a tag and a branch behind a password: its address, its commits, its certificate."""
    root = tmp_path_factory.mktemp("git")
    tree = root / "tree"
    tree.mkdir()
    git(tree, "init", "-q", "-b", "main")
    commits = []
    for text in ("one", "two", "three"):
        (tree / "a.ipynb").write_text(text)
        git(tree, "add", ".")
        git(tree, "commit", "-q", "-m", text)
        commits.append(git(tree, "rev-parse", "HEAD"))
    git(tree, "tag", "v2", commits[1])
    git(root, "clone", "-q", "--bare", str(tree), "nb.git")
    pem = certificate(root)
    with serve(root, "jane", PASSWORD, pem) as url:
        yield f"{url}/nb.git", commits, root / "cert.pem"


@pytest.fixture
def get(server, tmp_path, monkeypatch):
    """`get(ref, **secret)`: what a.ipynb holds at a ref."""
    url, _commits, pem = server
    monkeypatch.setenv("GIT_SSL_CAINFO", str(pem))
    monkeypatch.setattr(source, "_PAUSES", (0.0, 0.0))

    def run(ref: str, address: str = url, **secret: str) -> str:
        secret = secret or {"username": "jane", "password": PASSWORD}
        data = {name: value.encode() for name, value in secret.items()}
        fetch(Repository(address, ref, "creds"), tmp_path / "tree", data, Stop(), 30)
        return (tmp_path / "tree" / "a.ipynb").read_text()

    return run


@pytest.mark.parametrize(("ref", "text"), [("main", "three"), ("v2", "two"), (0, "one")])
def test_a_branch_a_tag_and_an_old_commit_are_found(get, server, ref, text):
    assert get(server[1][ref] if isinstance(ref, int) else ref) == text


def test_a_short_commit_is_found(get, server):
    assert get(server[1][0][:10]) == "one"


@pytest.mark.parametrize(
    ("ref", "secret", "words"),
    [
        ("main", {"username": "jane", "password": "wrong-and-long"}, "Authentication failed"),
        ("gone", {}, "couldn't find remote ref gone"),
        ("main", {"colour": "blue"}, "holds no credentials for git"),
        ("main", {"ssh-privatekey": "key"}, "has a key and no ssh-knownhosts"),
    ],
)
def test_what_cannot_be_fetched_says_why_and_no_secret(get, ref, secret, words):
    with pytest.raises(EngineError) as refused:
        get(ref, **secret)
    assert words in refused.value.message and refused.value.code == "source_unavailable"
    assert not any(value in refused.value.message for value in (PASSWORD, "wrong-and-long"))


@pytest.mark.parametrize(
    ("ref", "address", "times"), [("gone", {}, 1), ("main", {"address": "https://127.0.0.1:9/nb.git"}, 3)]
)
def test_only_what_may_pass_is_tried_again(get, monkeypatch, ref, address, times):
    tried = []
    real = source._Git.fetch

    def counted(self):
        tried.append(self)
        return real(self)

    monkeypatch.setattr(source._Git, "fetch", counted)
    with pytest.raises(EngineError):
        get(ref, **address)
    assert len(tried) == times


def test_no_argument_of_git_holds_a_secret(get, monkeypatch):
    commands = []
    real = subprocess.Popen

    class Seen(real):
        def __init__(self, command, **more):
            commands.append(command)
            super().__init__(command, **more)

    monkeypatch.setattr(subprocess, "Popen", Seen)
    get("main")
    assert commands and not any(PASSWORD in word for command in commands for word in command)


def test_a_key_is_a_file_of_one_reader_beside_the_tree(tmp_path, monkeypatch):
    """And ssh takes no host for granted."""
    secret = {"ssh-privatekey": b"key", "ssh-knownhosts": b"host ssh-ed25519 AAAA"}
    tool = tmp_path / "ssh"
    tool.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$SAID"; exit 1\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    with pytest.raises(EngineError):
        fetch(Repository("git@git.example.com:nb.git", "main", "creds"), tmp_path / "tree", secret, Stop(), 30)
    words = (tmp_path / "said").read_text().splitlines()
    key, known = tmp_path / "tree.credentials" / "key", tmp_path / "tree.credentials" / "known_hosts"
    assert str(key) in words and f"UserKnownHostsFile={known}" in words and "StrictHostKeyChecking=yes" in words
    assert (key.read_text(), key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == ("key\n", 0o600, 0o700)


def test_who_asks_to_stop_is_heard(tmp_path):
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        fetch(Repository("https://127.0.0.1:9/nb.git", "main"), tmp_path / "tree", {}, stop, 30)
