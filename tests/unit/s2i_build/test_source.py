# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories and archives as the source of a build."""

from __future__ import annotations

import io
import os
import tarfile

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.source import opened
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

BINARY = {"type": "Binary", "binary": {}}


@pytest.fixture
def tree(tmp_path):
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (top / ".git").mkdir()
    (top / ".git" / "config").write_text("secret")
    (top / "sub" / "a.ipynb").write_text("{}")
    os.link(top / "sub" / "a.ipynb", top / "b.ipynb")
    (top / "link").symlink_to("b.ipynb")
    return top


def test_a_directory_is_packed_without_git(tree):
    with (
        opened(str(tree)) as upload,
        tarfile.open(fileobj=io.BytesIO(upload.stream.read() or _whole(upload))) as archive,
    ):
        assert sorted(archive.getnames()) == ["b.ipynb", "link", "sub", "sub/a.ipynb"]
        assert all(one.isreg() for one in archive.getmembers() if one.name.endswith("ipynb"))


def _whole(upload) -> bytes:
    upload.stream.seek(0)
    return upload.stream.read()


def test_the_digest_is_of_contents_and_not_of_times(tree):
    with opened(str(tree)) as first:
        digest = first.digest
    os.utime(tree / "b.ipynb", (1, 1))
    with opened(str(tree)) as again:
        assert again.digest == digest
    (tree / "new").write_text("x")
    with opened(str(tree)) as other:
        assert other.digest != digest


@pytest.mark.parametrize("path", ["/nowhere/at/all", "/dev/null"])
def test_what_cannot_be_sent_is_told(path):
    with pytest.raises(EngineError, match=path), opened(path):
        pass


def test_a_directory_is_built_once_for_the_same_content(site, tree):
    site.config(source=BINARY)
    assert site.run(source=str(tree)).build.phase == "Complete"
    assert not site.run(source=str(tree)).changed
    (tree / "new").write_text("x")
    assert site.run(source=str(tree)).build.name == "nb-2"


def test_an_archive_is_sent_as_it_is_with_its_commit(site, tmp_path):
    site.config(source=BINARY)
    archive = tmp_path / "a.tar"
    archive.write_bytes(b"x" * 3_000_000)
    assert site.run(source=str(archive), commit="abc").build.commit == "abc"
    assert site.build("nb-1")["spec"]["source"]["type"] == "Binary"


def test_a_lost_answer_to_an_upload_makes_no_second_build(site, tree):
    site.config(source=BINARY)
    site.server.faults.add("drop-after-write", "/instantiatebinary", method="POST")
    assert site.run(source=str(tree)).build.name == "nb-1" and site.names() == ["nb-1"]


@pytest.mark.parametrize("status", [429, 401])
def test_an_upload_that_was_not_taken_up_is_sent_again(site, tree, status, monkeypatch):
    from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster

    monkeypatch.setattr(Cluster, "renew", lambda self, used: True)
    site.config(source=BINARY)
    site.server.faults.add("status", "/instantiatebinary", method="POST", status=status, seconds=0)
    assert site.run(source=str(tree)).build.phase == "Complete"


def test_what_a_binary_source_would_lose_is_refused(site, tree):
    site.config(source=BINARY)
    with pytest.raises(EngineError, match="no env and no no_cache with a binary source"):
        site.run(source=str(tree), env={"A": "1"}, no_cache=True)
    with pytest.raises(EngineError, match="takes a binary source"):
        site.run()
