# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebooks in a real ansible-rulebook: pushes are validated, failures are remedied or told of."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from contextlib import ExitStack

import pytest
import urllib3
import yaml
from ansible_rulebook.util import substitute_variables

from tests.apiserver.fixtures import apiserver  # noqa: F401
from tests.playbooks.conftest import git, write_notebook

from .eda_support import EDA, SPACE, WATCHES, Verdicts

SECRET = "correct-horse-battery-staple"


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _number in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]


def post(port: int, payload: dict, headers: dict) -> int:
    """Send a payload to a webhook, which may only be about to listen."""
    patience = urllib3.Retry(total=None, connect=200, backoff_factor=0.05, backoff_max=0.2)
    pool = urllib3.PoolManager(retries=patience)
    body = json.dumps(payload)
    return pool.request("POST", f"http://127.0.0.1:{port}/", body=body, headers=headers).status


def signed(payload: dict, secret: str = SECRET) -> dict:
    digest = hmac.new(secret.encode(), json.dumps(payload).encode(), hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}


@pytest.fixture
def commits(tmp_path):
    """A repository of two commits, with one and with two notebooks that fail."""
    place = tmp_path / "notebooks"
    place.mkdir()
    git("init", "--quiet", cwd=place)
    found = []
    for name in ("first.ipynb", "{{ 6 * 7 }}.ipynb"):
        write_notebook(place / name, "assert False")
        git("add", ".", cwd=place)
        git("commit", "--quiet", "-m", name, cwd=place)
        found.append(git("rev-parse", "HEAD", cwd=place))
    return place, found


def test_a_push_is_validated_and_its_failures_are_remedied_and_told_of(rulebook, receiver, commits, tmp_path):
    place, (first, second) = commits
    signed_port, token_port = free_ports(2)
    settings = {"validate_cache_dir": str(tmp_path / "cache"), "validate_executor": "process"}
    variables = {"webhook_secret": SECRET, "listen_host": "127.0.0.1", "listen_port": signed_port}
    variables |= {"token_port": token_port, "branch": "trunk", "reports": str(tmp_path / "reports")}
    url = f"file://{place}"

    def github(commit: str, branch: str = "trunk") -> dict:
        return {"ref": f"refs/heads/{branch}", "after": commit, "repository": {"clone_url": url}}

    with rulebook("validate_on_push", "notebooks", {}, settings, **variables):
        push = github(first)
        assert post(signed_port, push, signed(push, "not-the-" + SECRET)) == 401
        assert post(signed_port, push, {"Content-Type": "application/json"}) == 400
        gitlab = {"ref": "refs/heads/trunk", "after": second, "project": {"git_http_url": url}}
        assert post(token_port, gitlab, {"Authorization": "Bearer forged"}) == 401
        for passed_over in (github(second, "other"), github("0" * 40), {"zen": "Keep it logically awesome."}):
            assert post(signed_port, passed_over, signed(passed_over)) == 200
        assert post(signed_port, push, signed(push)) == 200
        assert receiver.next() == {"remedy": ["first.ipynb"]}
        report = tmp_path / "reports" / first / "index.html"
        text = f"1 of 1 notebooks failed: first.ipynb. The report is {report}."
        assert receiver.next() == {"text": text}
        assert report.exists()
        assert post(token_port, gitlab, {"Authorization": f"Bearer {SECRET}"}) == 200
        assert receiver.next()["remedy"] == ["first.ipynb", "{ {  6 * 7 }}.ipynb"]
        assert "2 of 2 notebooks failed: first.ipynb, { {  6 * 7 }}.ipynb." in receiver.next()["text"]
    assert receiver.nothing_else()


@pytest.mark.parametrize(
    ("payload", "variables", "source"),
    [
        ({"repository": {"clone_url": "https://github.example/a.git"}}, {}, "https://github.example/a.git"),
        (
            {"repository": {"name": "b"}, "project": {"git_http_url": "https://gitlab.example/b.git"}},
            {},
            "https://gitlab.example/b.git",
        ),
        ({"repository": {"clone_url": "https://x/{{ 6 * 7 }}.git"}}, {}, "https://x/{ {  6 * 7 }}.git"),
        ({"repository": {"clone_url": "https://x/c.git"}}, {"source": "ssh://git@x/c.git"}, "ssh://git@x/c.git"),
    ],
)
def test_the_source_is_the_forges_unless_a_variable_names_it(payload, variables, source):
    (ruleset,) = yaml.safe_load((EDA / "rulebooks" / "validate_on_push.yml").read_text())
    given = ruleset["rules"][0]["action"]["run_playbook"]["extra_vars"]
    context = {**variables, "event": {"payload": {"after": "c" * 40, **payload}}}
    assert substitute_variables(given, context)["source"] == source


def test_verdicts_of_a_cluster_are_acted_on_once_each_though_the_watch_breaks(rulebook, receiver, apiserver):  # noqa: F811
    server = apiserver(pods="none")
    verdicts = Verdicts(server)
    given = {"K8S_AUTH_KUBECONFIG": server.kubeconfig}
    with rulebook("failed_verdicts", "notebook", given, namespace=SPACE, remediate_codes="missing_.*"):
        server.journal.wait_for(WATCHES, timeout=30)
        verdicts.write("good", status="succeeded")
        verdicts.write("a", notebook="sales/a.ipynb")
        assert receiver.next()["remedy"]["path"] == "sales/a.ipynb"
        server.faults.add("status", "/configmaps", status=503, count=0)
        server.store.cut_watches()
        verdicts.write("b", code="data_missing", cause="{{ 6 * 7 }}")
        server.store.compact()
        server.journal.wait_for(WATCHES, 3)
        server.faults.clear()
        assert receiver.next() == {"text": f"b.ipynb in {SPACE} failed (data_missing): {{ {{ 6 * 7 }}}}"}
        server.store.cut_watches()
        verdicts.write("end", code="incompatible_version", cause="Too old.")
        assert receiver.next() == {"text": f"end.ipynb in {SPACE} failed (incompatible_version): Too old."}
    assert receiver.nothing_else()
