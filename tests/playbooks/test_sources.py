# SPDX-License-Identifier: GPL-3.0-or-later
"""Where notebooks come from: directories, git over file, https and ssh; and what is refused."""

from __future__ import annotations

import getpass

import pytest

from .conftest import git, write_notebook
from .git_server import certificate, serve
from .ssh_server import serve as ssh_server_of

PASSWORD = "correct-horse-battery-staple"


@pytest.mark.parametrize("kind", ["branch", "tag", "commit"])
def test_a_git_source_is_taken_at_a_branch_a_tag_or_a_commit(play, repository, kind):
    head = git("rev-parse", "HEAD", cwd=repository)
    write_notebook(repository / "which.ipynb", "raise SystemError('third')")
    git("commit", "--quiet", "-am", "third", cwd=repository)
    ref = {"branch": "main", "tag": "v1", "commit": head}[kind]
    played = play(source=f"file://{repository}", ref=ref, notebooks=["which.ipynb"], fail_on="never")
    assert played.status == 0, played.text
    expected = {"branch": "notebook_execution_failed", "tag": "notebook_execution_failed", "commit": None}
    assert played.codes == {"which.ipynb": expected[kind]}
    assert ("third" in played.text, "first" in played.text) == (kind == "branch", kind == "tag")


def test_a_second_run_changes_nothing_and_a_new_commit_is_seen(play, repository):
    source = f"file://{repository}"
    assert play(source=source).changed > 0
    again = play(source=source)
    assert (again.status, again.changed) == (0, 0), again.text
    write_notebook(repository / "which.ipynb", "assert False")
    git("commit", "--quiet", "-am", "broken", cwd=repository)
    broken = play(source=source)
    assert broken.status == 2 and "1 of 2 notebooks failed" in broken.text


def test_a_directory_of_a_source_and_notebooks_given_as_text(play, repository):
    played = play("-e", f"source={repository}", "-e", "path=deep", "-e", "notebooks=other.ipynb,o*.ipynb")
    assert played.status == 0, played.text
    assert played.codes == {"other.ipynb": None}


@pytest.mark.parametrize("how", ["file", "environment"])
def test_https_with_credentials_that_no_command_line_and_no_output_shows(play, repository, recorded_git, tmp_path, how):
    with serve(repository.parent, "robot", PASSWORD, certificate(tmp_path)) as url:
        variables, environment = {}, {"GIT_SSL_CAINFO": str(tmp_path / "cert.pem")}
        if how == "file":
            store = tmp_path / "credentials of git"
            store.write_text(url.replace("://", f"://robot:{PASSWORD}@") + "\n")
            variables = {"git_credentials_file": str(store)}
        else:
            environment |= {"GIT_USERNAME": "robot", "GIT_PASSWORD": PASSWORD}
        source = f"{url}/notebooks/.git"
        good = play("-vvv", environment=environment, source=source, ref="main", **variables)
        assert good.status == 0, good.text
        wrong = {**environment, "GIT_USERNAME": "robot", "GIT_PASSWORD": "wrong" + PASSWORD[:9]}
        denied = play("-vvv", environment=wrong, source=source, checkout_dir=str(tmp_path / "other"))
    assert denied.status == 2 and "cannot be fetched" in denied.text
    commands = recorded_git.read_text()
    assert "clone" in commands or "fetch" in commands
    for text in (commands, good.text, denied.text):
        assert PASSWORD not in text and "wrongcorrect" not in text


@pytest.fixture
def ssh_server(tmp_path):
    with ssh_server_of(tmp_path) as port:
        yield port


def test_ssh_with_a_key_and_a_host_that_must_be_known(play, repository, ssh_server, tmp_path):
    source = f"ssh://{getpass.getuser()}@127.0.0.1:{ssh_server}{repository}"
    known = tmp_path / "known_hosts"
    known.write_text("")
    variables = {"source": source, "git_key_file": str(tmp_path / "user"), "git_known_hosts_file": str(known)}
    stranger = play(**variables)
    assert stranger.status == 2 and "cannot be fetched" in stranger.text
    known.write_text(f"[127.0.0.1]:{ssh_server} {(tmp_path / 'host.pub').read_text()}")
    played = play(**variables)
    assert played.status == 0, played.text
    assert played.codes == {"deep/other.ipynb": None, "which.ipynb": None}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "source"),
        ({"source": ""}, "is empty"),
        ({"source": __file__}, "is a file, not a directory"),
        ({"source": "/no/such/place"}, "There is no directory /no/such/place"),
        ({"source": "--upload-pack=touch pwned"}, "begins with a dash"),
        ({"source": "ext::sh -c 'touch pwned'"}, "not supported"),
        ({"source": "http://127.0.0.1:1/x.git"}, "not supported"),
        ({"source": f"https://robot:{PASSWORD}@127.0.0.1:1/x.git"}, "holds a password"),
        ({"source": "file:///no/such/repository"}, "cannot be fetched"),
        ({"source": "REPOSITORY", "ref": "no-such-branch"}, "cannot be fetched"),
        ({"source": "REPOSITORY", "ref": "--upload-pack=touch pwned"}, "no branch, tag or commit SHA"),
        ({"source": "REPOSITORY", "ref": "main..v1"}, "no branch, tag or commit SHA"),
        ({"source": "REPOSITORY", "path": "../.."}, "leaves the source"),
        ({"source": "REPOSITORY", "path": "/etc"}, "leaves the source"),
        ({"source": "REPOSITORY", "path": "nowhere"}, "There is no directory"),
        ({"source": "REPOSITORY", "notebooks": ["../outside.ipynb"]}, "../outside.ipynb"),
        ({"source": "REPOSITORY", "notebooks": ["deep"]}, "deep"),
    ],
)
def test_what_is_refused_is_refused_in_one_sentence_and_leaves_nothing(play, repository, variables, sentence):
    if variables.get("source") == "REPOSITORY":
        variables = {**variables, "source": f"file://{repository}"}
    played = play(**variables)
    assert played.status == 2 and sentence in played.text, played.text
    assert "Traceback" not in played.text and PASSWORD not in played.text
    assert not (play.work / "validation-report").exists() and not list(play.work.rglob("pwned"))
