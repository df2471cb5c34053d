# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pods have their source from: a repository that they fetch, or a claim; and what is said where it is not to be had."""

from __future__ import annotations

import base64
import getpass
import json
import os
import shutil
import subprocess

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod import bundle
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from pod_run_support import repository

from tests.playbooks import git_server, ssh_server
from tests.schemas import complaints

PASSWORD = "correct-horse-battery-staple"
CELL = "print(open('data.txt').read())\nimport os\nprint([os.path.exists(p) for p in ('/credentials', '/fetch')])"
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")


@pytest.fixture
def origin(real):
    """A repository whose branch main is ahead of its tag v1, and of what the caller has."""
    name = real.notebook("nb/a.ipynb", CELL)
    source = real.directory / "source"
    (source / "nb" / "data.txt").write_text("first")
    (source / "nb" / "left-out.csv").write_text("1")
    real.commit = repository(source)
    subprocess.run([*GIT, "tag", "-a", "-m", "v1", "v1"], cwd=source, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", source, real.directory / "origin"], check=True)
    (source / "nb" / "data.txt").write_text("second")
    for words in (["commit", "-qam", "second"], ["push", "-q", real.directory / "origin", "HEAD:main"]):
        subprocess.run([*GIT, *words], cwd=source, check=True)
    subprocess.run(["git", "symbolic-ref", "HEAD", "refs/heads/main"], cwd=real.directory / "origin", check=True)
    return name


@pytest.fixture
def https(real, origin):
    with git_server.serve(real.directory, "oauth2", PASSWORD, git_server.certificate(real.directory)) as url:
        yield f"{url}/origin"


def secret(site, **entries: str) -> str:
    """Make the Secret git, anew where it is there; return its name."""
    if site.server.system.find("secrets", "team", "git"):
        site.server.system.delete("secrets", "team", "git")
    data = {name: base64.b64encode(text.encode()).decode() for name, text in entries.items()}
    site.server.system.create(
        "secrets",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "git", "namespace": "team"},
            "type": "Opaque",
            "data": {
                name.replace("ca_crt", "ca.crt").replace("ssh_privatekey", "ssh-privatekey"): data[name]
                for name in data
            },
        },
    )
    return "git"


def run(site, **source) -> dict:
    """Validate the one notebook; return its verdict, with what it printed."""
    found = site.validate("a.ipynb", root="nb", rerun="always", source={"path": "nb", **source})["by_name"]["a.ipynb"]
    if found["executed"]:
        with open(found["executed"], encoding="utf-8") as file:
            found["printed"] = "".join(json.load(file)["cells"][0]["outputs"][0]["text"])
    return found


def test_https_at_a_commit_a_tag_and_the_branch_with_credentials_that_only_git_has(real, https):
    certificate = (real.directory / "cert.pem").read_text()
    held = secret(real, token=PASSWORD, ca_crt=certificate)
    made = []
    real.server.store.subscribe(
        lambda _event, resource, one: made.append(one) if resource.plural != "secrets" else None
    )
    for ref, text in ((real.commit, "first"), ("v1", "first"), (None, "second")):
        found = run(real, url=https, ref=ref, secret=held)
        assert found["status"] == "succeeded", found
        assert found["printed"] == f"{text}\n[False, False]\n", (
            "the notebook has neither the Secret nor what it was used by"
        )
    assert PASSWORD not in json.dumps(made)


@pytest.mark.parametrize(
    ("entries", "ref", "sentence"),
    [
        ({"username": "me", "password": "wrong-" + PASSWORD}, "main", "Authentication failed"),
        ({"username": "oauth2", "password": PASSWORD}, "no-such", "has no branch or tag no-such"),
        ({"username": "oauth2", "password": PASSWORD}, "0" * 40, "cannot be fetched at " + "0" * 40),
        ({"username": "only"}, "main", "The Secret git does not exist or has neither password nor token"),
    ],
)
def test_what_git_or_the_secret_lacks_is_told_without_the_password(real, https, entries, ref, sentence):
    held = secret(real, ca_crt=(real.directory / "cert.pem").read_text(), **entries)
    found = run(real, url=https, ref=ref, secret=held)
    assert (found["code"], found["retryable"]) == ("source_unavailable", False) and sentence in found["cause"], found
    assert PASSWORD not in json.dumps(found)


def test_a_host_that_does_not_answer_is_tried_again_and_not_remembered(real, origin):
    found = real.validate("a.ipynb", root="nb", source={"url": "http://127.0.0.1:1/x", "path": "nb"})["by_name"][
        "a.ipynb"
    ]
    assert (found["code"], found["retryable"]) == ("source_unreachable", True), found


def test_ssh_with_a_key_and_a_host_that_must_be_known(real, origin):
    with ssh_server.serve(real.directory) as port:
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{real.directory}/origin"
        key, host = ((real.directory / name).read_text() for name in ("user", "host.pub"))
        unknown = run(real, url=url, ref="v1", secret=secret(real, ssh_privatekey=key))
        other = (real.directory / "user.pub").read_text()
        wrong = run(
            real, url=url, ref="v1", secret=secret(real, ssh_privatekey=key, known_hosts=f"[127.0.0.1]:{port} {other}")
        )
        right = f"[127.0.0.1]:{port} {host}"
        good = run(real, url=url, ref="v1", secret=secret(real, ssh_privatekey=key.rstrip(), known_hosts=right))
    assert unknown["code"] == "source_unavailable" and "has no known_hosts" in unknown["cause"]
    assert wrong["code"] == "source_unavailable" and "Host key verification failed" in wrong["cause"]
    assert good["status"] == "succeeded" and good["printed"].startswith("first"), good


def test_a_source_on_a_claim_of_any_size_without_what_is_excluded(real, origin, monkeypatch):
    monkeypatch.setattr(bundle, "MOST_PARTS", 0)  # nothing is packed
    claim = real.server.directory / "claims" / "team" / "notebooks" / "some"
    shutil.copytree(real.directory / "source" / "nb", claim)
    real.server.system.create("persistentvolumeclaims", pvc("notebooks"))
    real.notebook("nb/a.ipynb", "import os\nprint(sorted(os.listdir()))")
    shutil.copy(real.directory / "source" / "nb" / "a.ipynb", claim)
    found = real.validate(
        "a.ipynb", root="nb", source={"claim": "notebooks", "path": "some"}, exclude=["*.csv"]
    )["by_name"]["a.ipynb"]  # fmt: skip
    with open(found["executed"], encoding="utf-8") as file:
        assert "['a.ipynb', 'data.txt']" in json.load(file)["cells"][0]["outputs"][0]["text"][0]
    os.utime(claim / "a.ipynb")
    (claim / "a.ipynb").write_text("{}")
    told = real.validate("a.ipynb", root="nb", rerun="always", source={"claim": "notebooks", "path": "some"})
    assert told["by_name"]["a.ipynb"]["code"] == "source_unavailable"
    assert "is another one than path holds" in told["by_name"]["a.ipynb"]["cause"]


def pvc(name: str) -> dict:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "team"},
        "spec": spec,
    }


URL = "https://git.example.com/nb.git"
VOLUME = {"name": "data", "emptyDir": {}}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"source": {"url": "https://me:pass@git.example.com/nb.git"}}, "holds credentials"),
        ({"source": {"url": "ext::sh -c pwned"}}, "no cluster can fetch"),
        ({"source": {"url": "-uhost:pwned"}}, "no cluster can fetch"),
        ({"source": {"url": URL, "ref": "--upload-pack=pwned"}}, "source.ref"),
        ({"source": {"url": URL, "ref": "a..b"}}, "source.ref"),
        ({"source": {"url": URL, "path": "../x"}}, "source.path"),
        ({"source": {"url": URL, "claim": "c"}}, "url and a claim"),
        ({"source": {"claim": "c", "secret": "s"}}, "source.secret is about a repository"),
        ({"source": {"url": "http://git.example.com/nb.git", "secret": "s"}}, "unencrypted"),
        ({"source": {"url": "git@git.example.com:nb.git"}}, "ssh needs a key"),
        ({"source": {"url": URL, "secret": "$(cat x)"}}, "name of an object"),
        ({"pod": {"env": [{"name": "HOME", "value": "/"}]}}, "pod.env sets HOME"),
        ({"pod": {"env": [{"name": "A", "value": "1"}]}, "environment_variables": {"A": "2"}}, "set it in one place"),
        ({"pod": {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}}, "two variables named A"),
        ({"pod": {"credentials": ["s", "s"]}}, "the Secret s twice"),
        ({"pod": {"volumes": [{"name": "work", "emptyDir": {}}]}}, "as one of the collection is named"),
        ({"pod": {"volumes": [VOLUME, VOLUME]}}, "two volumes named data"),
        ({"pod": {"volume_mounts": [{"name": "data", "mountPath": "/data"}]}}, "which pod.volumes does not hold"),
        ({"pod": {"volumes": [VOLUME], "volume_mounts": [{"name": "data", "mountPath": "/work/x"}]}}, "where /work of"),
        ({"pod": {"volumes": [VOLUME], "volume_mounts": [{"name": "data", "mountPath": "/"}]}}, "absolute path"),
        ({"pod": {"volumes": [VOLUME], "volume_mounts": [{"name": "data", "mountPath": "/a"}] * 2}}, "twice at /a"),
    ],
)
def test_what_must_not_be_is_refused_before_anything_is_written(simulated, options, sentence):
    name = simulated.notebook("a.ipynb", "1")
    with pytest.raises(EngineError, match=".") as caught:
        simulated.validate(name, **options)
    assert sentence in caught.value.message and "pass@" not in caught.value.message
    assert not simulated.server.journal.writes()


def test_variables_of_the_pod_reach_the_notebook_and_are_part_of_the_work(real):
    secret(real, TOKEN="s3cr3t")
    name = real.notebook("a.ipynb", "import os\nprint(os.environ['A'], os.environ['TOKEN'], os.environ['HOME'] != '/')")
    pod = {"env": [{"name": "A", "value": "one"}], "credentials": ["git"]}
    first = real.validate(name, pod=pod)["by_name"][name]
    with open(first["executed"], encoding="utf-8") as file:
        assert json.load(file)["cells"][0]["outputs"][0]["text"] == ["one s3cr3t True\n"]
    assert real.validate(name, pod=pod)["by_name"][name]["cached"]
    other = {**pod, "env": [{"name": "A", "value": "two"}]}
    assert not real.validate(name, pod=other)["by_name"][name]["cached"], "another value is another work"


def test_the_container_that_fetches_has_the_secret_alone_and_the_api_takes_it(simulated):
    made = []
    simulated.server.store.subscribe(
        lambda event, resource, one: made.append(one) if resource.plural == "jobs" and event == "ADDED" else None
    )
    simulated.server.pod_rules.add({"name": "*", "containers": {"notebook": {"exit_code": 3}}})
    proxy, mine = {"name": "https_proxy", "value": "http://proxy:3128"}, {"name": "A", "value": "1"}
    simulated.validate(
        simulated.notebook("a.ipynb", "1"), pod={"env": [proxy, mine], "patience": 0.3}, results={"claim": "kept", "path": "runs"},
        source={"url": URL + "?$(HOME)", "ref": "main", "secret": "git", "image": "registry.example.com/git:1"},
    )  # fmt: skip
    (job,) = made
    assert complaints({**{name: job[name] for name in ("apiVersion", "kind", "spec")}, "metadata": {"name": "a"}}) == []
    pod = job["spec"]["template"]["spec"]
    fetching, notebook = pod["initContainers"]
    mounted = {
        one["name"]: {m["name"] for m in one["volumeMounts"]} for one in (*pod["initContainers"], *pod["containers"])
    }
    assert mounted["source"] >= {"credentials", "fetch", "source"} and "kept" in mounted["results"]
    assert not mounted["notebook"] & {"credentials", "fetch", "kept"} and "credentials" not in mounted["results"]
    assert (
        fetching["image"] == "registry.example.com/git:1" and proxy in fetching["env"] and mine not in fetching["env"]
    )
    assert {"name": "SOURCE_URL", "value": URL + "?$$(HOME)"} in fetching["env"], "nothing is expanded"
    assert proxy in notebook["env"] and mine in notebook["env"]
