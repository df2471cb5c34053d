# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository that the cluster fetches: only where lines draw on it, by commit, with our lists beside its files."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.image import checkout
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.strategy import (
    BuildOptions,
    GitSource,
    ImageOptions,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from image_support import BASE, BUILDER, bring, config, faults, need

URL = "https://git.example.com/team/notebooks.git"
COMMIT = "c" * 40
GIT = GitSource(URL, COMMIT, "reports", "git-login")


@pytest.fixture
def login(openshift):
    openshift.server.system.create("secrets", {"metadata": {"name": "git-login", "namespace": "team"}})
    return openshift


@pytest.fixture
def repository(tmp_path):
    """A repository that is served read-only on a port of this machine; yields its URL and how to run git in it."""
    tree = tmp_path / "tree"
    tree.mkdir()

    def git(*arguments):
        identity = ["-c", "user.name=jane", "-c", "user.email=jane@example.com"]
        command = ["git", *identity, "-C", str(tree), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "--message=one")
    git("tag", "--annotate", "--message=first", "v1")
    git("commit", "--quiet", "--allow-empty", "--message=two")
    git("update-server-info")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tree))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/.git", git
        finally:
            server.shutdown()
            thread.join()


def lists(site, key):
    return site.server.system.find("configmaps", "team", f"notebook-environment-{key}")


def test_docker_builds_from_a_commit_with_our_lists_beside_its_files(login):
    (made,) = bring(login, need("./package", "-r more.txt", "alpha"), strategy="docker", git=GIT)
    assert made.build.phase == "Complete", made.build.message
    source = config(login, made.key)["spec"]["source"]
    assert source["type"] == "Git" and source["git"] == {"uri": URL, "ref": COMMIT}
    assert source["contextDir"] == "reports" and source["sourceSecret"] == {"name": "git-login"}
    name = f"notebook-environment-{made.key}"
    assert source["configMaps"] == [{"configMap": {"name": name}, "destinationDir": "."}]
    # Paths in a list count from where the list stands; the repository may have a requirements.txt of its own.
    (file,) = lists(login, made.key)["data"]
    assert file == "notebook-environment-requirements.txt" and f"-r {file}" in source["dockerfile"]
    lines = lists(login, made.key)["data"][file].splitlines()
    assert lines[:3] == ["./package", "--requirement ./more.txt", "alpha"]
    assert faults(login, made.key) == []
    assert made.build.commit == COMMIT and login.build(f"{name}-1")["spec"]["revision"]["git"]["commit"] == COMMIT


def test_the_lists_go_with_the_buildconfig(login):
    (made,) = bring(login, need("./package"), strategy="docker", git=GIT)
    owner = config(login, made.key)["metadata"]
    (reference,) = lists(login, made.key)["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["uid"]) == ("BuildConfig", owner["uid"])
    assert lists(login, made.key)["metadata"]["labels"]["notebooks.mlops.dev/key"] == made.key


def test_s2i_puts_the_list_in_the_place_that_a_builder_image_installs(login):
    login.server.external_images[BASE] = BUILDER
    (made,) = bring(login, need("./package", "alpha"), strategy="s2i", git=GIT)
    assert made.build.phase == "Complete", made.build.message
    source = config(login, made.key)["spec"]["source"]
    assert source["configMaps"][0]["destinationDir"] == "/tmp/src" and "dockerfile" not in source
    assert lists(login, made.key)["data"]["requirements.txt"].startswith("./package\nalpha\n")
    assert faults(login, made.key) == []
    (refused,) = bring(login, need("-r requirements.txt"), strategy="s2i", git=GIT)
    assert refused.build.reason == "requirements_invalid" and "choose the strategy docker" in refused.build.message


def test_auto_takes_docker_where_s2i_cannot_take_a_repository(login):
    (made,) = bring(login, need("./package"), strategy="auto", git=GIT)
    assert made.environment.strategy == "docker"
    with pytest.raises(EngineError, match="s2i cannot work here: base is no S2I builder image"):
        bring(login, strategy="s2i", git=GIT)
    login.server.journal.clear()
    assert bring(login, need("./package"), strategy="auto", git=GIT)[0].build.phase == "Cached"
    assert len(login.requests()) <= 3, "the base was looked up once for both"
    login.server.external_images[BASE] = BUILDER
    assert bring(login, need("./package"), strategy="auto", git=GIT)[0].environment.strategy == "s2i"
    settings = BuildOptions(settings_secret="git-login")
    assert bring(login, need("./package"), strategy="auto", git=GIT, build=settings)[0].environment.strategy == "docker"


def test_lines_that_draw_on_no_file_have_one_environment_for_all_commits(openshift):
    (made,) = bring(openshift, strategy="docker", git=GitSource(URL, "main"))
    assert made.build.phase == "Complete", "nobody was asked for the branch, which nobody could reach"
    assert config(openshift, made.key)["spec"]["source"]["type"] == "Binary" and lists(openshift, made.key) is None
    assert made.build.commit is None
    assert bring(openshift, strategy="docker", git=GIT)[0].build.phase == "Cached"
    assert bring(openshift, strategy="docker")[0].build.phase == "Cached"


def test_lines_that_draw_on_files_have_one_for_each_commit_directory_and_path(login):
    (made,) = bring(login, need("./package"), strategy="docker", git=GIT, check=True)
    same = bring(login, need("package/"), strategy="docker", git=GitSource(URL, COMMIT, "reports/"), check=True)
    assert same[0].key == made.key
    others = [
        bring(login, need(line), strategy="docker", git=git, check=True)[0].key
        for line, git in (
            ("./package", GitSource(URL, "d" * 40, "reports")),
            ("./package", GitSource(URL, COMMIT)),
            ("./package", GitSource(URL + "x", COMMIT, "reports")),
            ("./other", GIT),
            ("./package[all]", GIT),
            ("-c package", GIT),
        )
    ]
    assert len({made.key, *others}) == 7


def test_a_branch_or_tag_is_looked_up_where_that_needs_no_credentials(openshift, repository):
    url, git = repository
    for ref, commit in ((None, "HEAD"), ("main", "HEAD"), ("v1", "v1^{commit}"), ("refs/heads/main", "HEAD")):
        (made,) = bring(openshift, need("./package"), strategy="docker", git=GitSource(url, ref))
        assert made.build.commit == git("rev-parse", commit), ref
    git("commit", "--quiet", "--allow-empty", "--message=three")
    git("update-server-info")
    assert bring(openshift, need("./package"), strategy="docker", git=GitSource(url, "v1"))[0].build.phase == "Cached"
    (moved,) = bring(openshift, need("./package"), strategy="docker", git=GitSource(url, "main"))
    assert moved.build.phase == "Complete" and moved.build.commit == git("rev-parse", "HEAD")
    (lost,) = bring(openshift, need("./package"), strategy="docker", git=GitSource(url, "gone"))
    assert lost.build.reason == "source_unavailable" and "has no branch or tag gone" in lost.build.message


def test_a_branch_goes_before_a_tag_of_the_same_name(repository):
    url, git = repository
    git("tag", "main", "v1")
    git("update-server-info")
    assert checkout.checkout(GitSource(url, "main")).commit == git("rev-parse", "refs/heads/main")


@pytest.mark.parametrize("url", ["git@git.example.com:team/notebooks.git", "http://127.0.0.1:9/none.git"])
def test_where_a_branch_cannot_be_looked_up_a_commit_is_asked_for(openshift, url):
    openshift.server.journal.clear()
    (refused,) = bring(openshift, need("./package"), strategy="docker", git=GitSource(url, "main"))
    assert refused.build.reason == "source_unavailable" and "give the commit as source.ref" in refused.build.message
    assert not [entry for entry in openshift.server.journal.writes() if "imagestreamimports" not in entry.line]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (GitSource("https://jane:hunter2@git.example.com/x.git"), "name a Secret that holds them with source.secret"),
        (GitSource("https://hunter2@git.example.com/x.git"), "name a Secret that holds them with source.secret"),
        (GitSource("ssh://jane:hunter2@git.example.com/x.git"), "name a Secret that holds them with source.secret"),
        (GitSource("--upload-pack=sh"), "no cluster can fetch"),
        (GitSource("ext::sh -c touch% x"), "no cluster can fetch"),
        (GitSource("/srv/x.git"), "no cluster can fetch"),
        (GitSource(URL, "--all"), "source.ref"),
        (GitSource(URL, "a..b"), "source.ref"),
        (GitSource(URL, context_dir="../x"), "source.context_dir"),
        (GitSource(URL, context_dir="/x"), "source.context_dir"),
    ],
)
def test_what_git_must_not_get_is_refused_before_anything_is_asked(openshift, source, words):
    openshift.server.journal.clear()
    with pytest.raises(EngineError, match=words) as caught:
        bring(openshift, need("./package"), strategy="docker", git=source)
    assert "hunter2" not in caught.value.message and not openshift.server.journal.writes()


@pytest.mark.parametrize("line", ["../other", "/srv/package", "alpha @ file:./package", "file:///srv/x"])
def test_a_path_that_leaves_the_repository_is_refused(openshift, line):
    (refused,) = bring(openshift, need(line), strategy="docker", git=GIT)
    assert refused.build.reason == "requirements_invalid" and "below its directory" in refused.build.message


def test_a_containerfile_of_a_repository_is_not_read(openshift):
    with pytest.raises(EngineError, match=r"clone the repository, and name the clone with source\.path"):
        bring(openshift, strategy="docker", git=GIT, base=None, image=ImageOptions(containerfile="Containerfile"))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("fatal: Authentication failed for 'https://git.example.com/team/notebooks.git/'", "source_unavailable"),
        ("error: pathspec 'cccc' did not match any file(s) known to git", "source_unavailable"),
        ("fatal: unable to access 'https://git.example.com/': Could not resolve host: git.example.com", "network_unavailable"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_fetched_is_told(login, line, code):
    login.server.pod_rules.add(
        {"name": "*-build", "exit_code": 1, "build": {"reason": "FetchSourceFailed"}, "logs": [[0, line]]}
    )
    (failed,) = bring(login, need("./package"), strategy="docker", git=GIT)
    assert failed.build.reason == code and line.split(":")[1].strip()[:20] in failed.build.message


def test_a_secret_that_is_missing_is_told_before_a_build_waits_for_it(openshift):
    (failed,) = bring(openshift, need("./package"), strategy="docker", git=GIT)
    assert failed.build.reason == "cluster_not_found" and "Secret git-login" in failed.build.message
    assert openshift.names() == []
