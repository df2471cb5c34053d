# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories, fetched by whatever names a commit, with credentials that nobody sees."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests" / "playbooks")]
from git_server import certificate, serve  # noqa: E402
from notebook_operator.git import git_way, source  # noqa: E402
from notebook_operator.git.source import Repository, fetch  # noqa: E402
from notebook_operator.hosts import Hosts  # noqa: E402

PASSWORD = "hunter2-is-long"
HERE = ("127.0.0.1",)  # where the servers of the tests are, and where no job may lead the operator unless that is named


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
        fetch(Repository(address, ref, "creds"), tmp_path / "tree", data, Stop(), 30, hosts=HERE)
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

    def counted(self, *hosts):
        tried.append(self)
        return real(self, *hosts)

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
    monkeypatch.setattr(Hosts, "address", lambda *_arguments: "203.0.113.7")
    with pytest.raises(EngineError):
        fetch(Repository("git@git.example.com:nb.git", "main", "creds"), tmp_path / "tree", secret, Stop(), 30)
    words = (tmp_path / "said").read_text().splitlines()
    assert "HostName=203.0.113.7" in words and "HostKeyAlias=git.example.com" in words, "the address that was checked"
    key, known = tmp_path / "tree.credentials" / "key", tmp_path / "tree.credentials" / "known_hosts"
    assert str(key) in words and f"UserKnownHostsFile={known}" in words and "StrictHostKeyChecking=yes" in words
    assert (key.read_text(), key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == ("key\n", 0o600, 0o700)


def test_who_asks_to_stop_is_heard(tmp_path):
    stop = Stop()
    stop.ask()
    with pytest.raises(Stopped):
        fetch(Repository("https://127.0.0.1:9/nb.git", "main"), tmp_path / "tree", {}, stop, 30, hosts=HERE)


# --- what nobody may lead the operator to


def failing(tmp_path, address: str, hosts: tuple = (), **more) -> str:
    """What is said of a repository that cannot be fetched."""
    with pytest.raises(EngineError) as refused:
        fetch(Repository(address, "main"), tmp_path / "tree", {}, Stop(), 30, hosts=hosts, **more)
    assert refused.value.code == "source_unavailable"
    return refused.value.message


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository that a mirror of the administrator puts in the place of an address: `tree()` commits what is in it."""
    place, address = tmp_path / "mirror", "https://git.example.com/nb.git"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    config = [("safe.directory", "*"), (f"url.{place}.insteadOf", address)]
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(config)))
    for number, (name, value) in enumerate(config):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)

    def commit() -> str:
        git(place, "add", "-A")
        git(place, "commit", "-q", "-m", "all")
        return address

    return place, commit


@pytest.mark.parametrize(
    "address",
    ["https://127.0.0.1/nb.git", "https://[::1]/nb.git", "http://169.254.169.254/nb.git", "https://localhost/nb.git",
     "https://kubernetes.default.svc/nb.git", "https://kubernetes/nb.git", "http://metadata.google.internal/nb.git",
     "ssh://git@127.0.0.1:22/nb.git", "git@localhost:nb.git", "git://127.0.0.1/nb.git"],
)  # fmt: skip
def test_no_job_leads_git_inward(tmp_path, monkeypatch, address):
    monkeypatch.setattr(source, "_PAUSES", ())
    assert "no job may" in failing(tmp_path, address)


def test_hosts_that_are_named_are_the_only_ones(tmp_path, tree):
    (tree[0] / "a.ipynb").write_text("one")
    address = tree[1]()
    assert "NOTEBOOK_OPERATOR_GIT_HOSTS" in failing(tmp_path, address, ("*.example.org",))
    fetch(Repository(address, "main"), tmp_path / "allowed", {}, Stop(), 30, hosts=("*.example.com",))
    assert (tmp_path / "allowed" / "a.ipynb").read_text() == "one"


def test_a_name_is_looked_up_once_and_git_asks_what_was_found(get, server, monkeypatch):
    """DNS rebinding: git would ask again, and hear another answer."""
    port = server[0].split(":")[2].partition("/")[0]
    monkeypatch.setattr(Hosts, "address", lambda _self, host, _port: {"git.example.com": "127.0.0.1"}[host])
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")  # its certificate is for the address
    monkeypatch.setitem(globals(), "HERE", ("git.example.com",))
    assert get("main", f"https://git.example.com:{port}/nb.git") == "three"


def test_a_name_that_leads_inward_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *_a, **_m: [(None, None, None, None, ("127.0.0.1", 443))])
    assert "git.example.com leads to 127.0.0.1" in failing(tmp_path, "https://git.example.com/nb.git")


def test_a_name_that_is_not_known_is_tried_again(tmp_path, monkeypatch):
    tried = []

    def unknown(host, *_arguments, **_more):
        tried.append(host)  # other threads may ask for others
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    monkeypatch.setattr(source, "_PAUSES", (0.0, 0.0))
    assert "Could not resolve" in failing(tmp_path, "https://nowhere.example.com/nb.git")
    assert tried.count("nowhere.example.com") == 3


def test_git_is_given_an_address_where_it_would_look_the_name_up_itself(monkeypatch):
    monkeypatch.setattr(Hosts, "address", lambda *_arguments: "2001:db8::7")
    found = git_way.find("git://git.example.com/nb.git", (), lambda *_words: "")
    assert found.url == "git://[2001:db8::7]:9418/nb.git"
    assert found.variables["GIT_OVERRIDE_VIRTUAL_HOST"] == "git.example.com"
    assert git_way.find("ssh://git@git.example.com:2222/nb.git", (), lambda *_words: "").ssh == (
        "HostName=2001:db8::7", "HostKeyAlias=[git.example.com]:2222",
    )  # fmt: skip


def test_a_proxy_looks_the_name_up_itself(monkeypatch):
    monkeypatch.setattr(Hosts, "address", lambda *_arguments: pytest.fail("a name was looked up"))
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    assert git_way.find("https://git.example.com/nb.git", (), lambda *_words: "").settings == ()


def test_no_redirect_is_followed(tmp_path):
    inner = []

    class Inner(BaseHTTPRequestHandler):
        def do_GET(self):
            inner.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/inner{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Inner) as web:
        threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        said = failing(tmp_path, f"http://127.0.0.1:{web.server_address[1]}/nb.git", HERE)
        web.shutdown()
    assert "give the address that it leads to" in said and not [path for path in inner if path.startswith("/inner")]


@pytest.mark.parametrize("address", ["file:///etc", "ext::sh -c id", "/etc"])
def test_no_other_protocol_is_spoken(tmp_path, address):
    with pytest.raises(EngineError):
        fetch(Repository(address, "main"), tmp_path / "tree", {}, Stop(), 30)


def test_protocols_of_others_are_spoken_only_where_the_administrator_says_so(tmp_path, tree, monkeypatch):
    (tree[0] / "a.ipynb").write_text("one")
    tree[1]()
    monkeypatch.setattr(git_way, "_parts", lambda url: ("https", "git.example.com", 443))
    monkeypatch.setattr(Hosts, "address", lambda *_arguments: "203.0.113.7")
    monkeypatch.setattr(Repository, "check", lambda self: None)
    assert "not allowed" in failing(tmp_path, f"file://{tree[0]}")


@pytest.mark.parametrize(
    ("link", "to"), [("requirements.txt", "/etc/passwd"), ("deep/down", "../../tree.credentials"), ("self", "/proc/1234567/environ"), ("up", "..")]
)  # fmt: skip
def test_no_link_leads_out_of_the_tree(tmp_path, tree, link, to):
    (tmp_path / "tree.credentials").mkdir()
    place = tree[0] / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(to)
    assert f"holds the link {link}, which leads out" in failing(tmp_path, tree[1]())


def test_links_within_the_tree_and_to_what_only_the_pod_has_are_left(tmp_path, tree):
    (tree[0] / "a.ipynb").write_text("one")
    (tree[0] / "b.ipynb").symlink_to("a.ipynb")
    (tree[0] / "data").symlink_to("/mounted-in-the-pod/data")
    fetch(Repository(tree[1](), "main"), tmp_path / "tree", {}, Stop(), 30)
    assert (tmp_path / "tree" / "b.ipynb").read_text() == "one" and (tmp_path / "tree" / "data").is_symlink()


def test_a_repository_has_a_size(tmp_path, tree):
    (tree[0] / "zeros.bin").write_bytes(bytes(3 << 20))  # almost nothing in a pack
    said = failing(tmp_path, tree[1](), megabytes=2)
    assert "larger than the 2 MiB that NOTEBOOK_OPERATOR_FETCH_MEGABYTES allows" in said
    assert not (tmp_path / "tree" / "zeros.bin").exists()
    fetch(Repository("https://git.example.com/nb.git", "main"), tmp_path / "fits", {}, Stop(), 30, megabytes=4)


def test_no_file_of_git_is_larger_either(tmp_path, tree):
    (tree[0] / "noise.bin").write_bytes(os.urandom(3 << 20))
    said = failing(tmp_path, tree[1](), megabytes=1)
    assert "larger than the 1 MiB" in said and "the tree has" not in said, "git itself was ended"


def test_neither_hooks_nor_submodules_count(tmp_path, tree, monkeypatch):
    templates = tmp_path / "templates" / "hooks"
    templates.mkdir(parents=True)
    hook = templates / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(templates.parent))
    (tree[0] / ".gitmodules").write_text('[submodule "inner"]\n\tpath = inner\n\turl = https://127.0.0.1:9/inner.git\n')
    git(tree[0], "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},inner")
    git(tree[0], "add", ".gitmodules")
    git(tree[0], "commit", "-q", "-m", "a submodule")
    fetch(Repository("https://git.example.com/nb.git", "main"), tmp_path / "tree", {}, Stop(), 30)
    assert not (tmp_path / "ran").exists() and not any((tmp_path / "tree" / "inner").glob("*"))
