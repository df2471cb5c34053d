# SPDX-License-Identifier: GPL-3.0-or-later
"""The module notebook_validation, from its options to its result, with real kernels."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import nbformat
import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation import pipeline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

from .conftest import write_notebook


def test_each_notebook_has_its_verdict_and_its_line_and_a_second_call_runs_nothing(validate):
    validate.notebook("good.ipynb", "print('fine')")
    validate.notebook("sub/bad.ipynb", "x = 1", "x / 0", "x")

    first = validate()
    assert first["changed"] and first["summary"]["total"] == 2
    assert first["by_name"]["good.ipynb"]["status"] == "succeeded"
    bad = first["by_name"]["sub/bad.ipynb"]
    assert (bad["code"], bad["cell"]) == ("notebook_execution_failed", 1)
    assert [cell["status"] for cell in bad["cells"]] == ["Success", "Failure", "Skipped"]
    assert sorted(line.split()[0] for line in validate.lines) == ["FAILED", "ok"]

    executed = Path(bad["executed"])
    stamp = executed.stat().st_mtime_ns
    second = validate()
    assert not second["changed"]
    assert all(verdict["cached"] for verdict in second["verdicts"])
    assert second["by_name"]["sub/bad.ipynb"]["cause"] == bad["cause"]
    assert executed.stat().st_mtime_ns == stamp


def test_the_line_of_a_notebook_is_one_line_whatever_its_name_is(validate):
    validate.notebook("new\nline \x1b[31mred.ipynb", "1")
    validate()
    assert [line.split(maxsplit=2)[2] for line in validate.lines] == ["new line red.ipynb"]


def test_a_change_that_a_notebook_can_see_runs_it_again_and_no_other_change_does(validate):
    (validate.root / "data.txt").write_text("1")
    validate.notebook("reader.ipynb", "print(open('data.txt').read())")
    validate.notebook("caller.ipynb", "import os; assert os.path.exists('reader.ipynb')")
    validate()

    validate.notebook("reader.ipynb", "print(open('data.txt').read(), 'again')")
    after_edit = validate()
    assert {name: verdict["cached"] for name, verdict in after_edit["by_name"].items()} == {
        "reader.ipynb": False,
        "caller.ipynb": False,  # its text names a notebook, so notebooks are part of what it sees
    }
    validate.notebook("other.ipynb", "1")
    added = validate()["by_name"]
    assert added["reader.ipynb"]["cached"] and not added["other.ipynb"]["cached"]

    (validate.root / "data.txt").write_text("2")
    assert not any(verdict["cached"] for verdict in validate()["verdicts"])

    (validate.root / "reports").mkdir()
    (validate.root / "reports" / "index.html").write_text("not part of the source")
    assert all(verdict["cached"] for verdict in validate(exclude=["reports/*"])["verdicts"])
    assert not any(verdict["cached"] for verdict in validate(rerun="always")["verdicts"])


def test_settings_of_single_notebooks_replace_those_of_all(validate):
    for name in ("a.ipynb", "b.ipynb"):
        validate.notebook(name, "mode = 'none'", "assert mode == 'fast', mode", tags={0: ["parameters"]})
    result = validate(parameters={"mode": "slow"}, overrides=[{"notebooks": ["b.*"], "parameters": {"mode": "fast"}}])
    assert result["by_name"]["b.ipynb"]["status"] == "succeeded"
    assert "slow" in result["by_name"]["a.ipynb"]["cause"]


def test_timeouts_policies_and_golden_notebooks_act(validate):
    validate.notebook("slow.ipynb", "while True: pass")
    validate.notebook("slower.ipynb", "while True: pass")
    validate.notebook("noisy.ipynb", "import sys; print('careful', file=sys.stderr)")
    validate.notebook("same.ipynb", "40 + 2")
    validate.notebook("other.ipynb", "40 + 3")
    for name in ("same.ipynb", "other.ipynb"):
        write_notebook(validate.root / "golden" / name, "40 + 2")
        golden = json.loads((validate.root / "golden" / name).read_text())
        data = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "42"}}
        golden["cells"][0]["outputs"] = [data]
        golden["cells"][0]["source"] = "40 + 2" if name == "same.ipynb" else "40 + 3"
        (validate.root / "golden" / name).write_text(json.dumps(golden))
    result = validate(
        cell_timeout=1,
        policies={"fail_on_stderr": True},
        golden="golden",
        overrides=[{"notebooks": ["slower.ipynb"], "timeout": 2, "cell_timeout": 60}],
    )
    assert {name: verdict["code"] for name, verdict in result["by_name"].items()} == {
        "slow.ipynb": "cell_timeout",
        "slower.ipynb": "run_timeout",
        "noisy.ipynb": "stderr_found",
        "same.ipynb": None,
        "other.ipynb": "golden_mismatch",
    }
    assert result["by_name"]["same.ipynb"]["comparison"]["result"] == "matched"
    tolerant = validate(golden="golden", environments=validate.environments("other.ipynb"), comparison={"atol": 2})
    assert tolerant["by_name"]["other.ipynb"]["status"] == "succeeded"


def test_check_mode_names_what_would_run_and_runs_nothing(validate):
    validate.notebook("new.ipynb", "print(1)")
    validate.notebook("known.ipynb", "print(2)")
    validate(environments=validate.environments("known.ipynb"))
    result = validate(check_mode=True)
    assert result["changed"] and result["planned"] == ["new.ipynb"]
    assert list(result["by_name"]) == ["known.ipynb"]
    planned = validate.environments("new.ipynb", environment=None, build={"name": "k", "phase": "Planned"})
    assert validate(check_mode=True, environments=planned)["planned"] == ["new.ipynb"]


@pytest.mark.parametrize(
    ("executor", "kind", "words"),
    [
        ("auto", "image", "The environment of a.ipynb is an image, and no cluster is named to run it in"),
        ("process", "image", "The environment of a.ipynb is the image registry.example.com/nb@sha256:0.*executor job"),
        ("job", "venv", "The environment of a.ipynb is a virtual environment.*executor process"),
    ],
)
def test_an_environment_that_does_not_suit_the_executor_is_refused_before_anything_is_run(
    validate, executor, kind, words
):
    validate.notebook("a.ipynb", "print(1)")
    image = {**validate.environment["environment"], "kind": kind, "reference": "registry.example.com/nb@sha256:0"}
    with pytest.raises(EngineError, match=words):
        validate(environments=validate.environments("a.ipynb", environment=image), executor=executor)


def test_a_failed_build_and_a_refused_notebook_are_verdicts_and_the_others_run(validate):
    validate.notebook("good.ipynb", "1")
    validate.notebook("unlucky.ipynb", "1")
    validate.notebook("odd.ipynb", "1")
    build = {
        "name": "k",
        "phase": "Failed",
        "reason": "dependency_not_found",
        "message": "There is no distribution nosuch.",
    }
    failed = validate.environments("unlucky.ipynb", environment=None, build=build)
    refused = [{"notebook": "odd.ipynb", "code": "kernel_unsupported", "message": "The kernel ir is not Python."}]
    result = validate(environments=validate.environments("good.ipynb") + failed, refused=refused)
    assert {name: verdict["code"] for name, verdict in result["by_name"].items()} == {
        "good.ipynb": None,
        "odd.ipynb": "kernel_unsupported",
        "unlucky.ipynb": "dependency_not_found",
    }
    assert not validate(environments=failed)["changed"]


@pytest.mark.parametrize(
    ("expression", "fails"),
    [("failed", True), ("never", False), ("verdicts[?code == 'cell_timeout']", False), ("summary.failed > `0`", True)],
)
def test_fail_on_decides_when_the_module_fails(validate, expression, fails):
    validate.notebook("bad.ipynb", "assert False")
    if fails:
        with pytest.raises(EngineError, match="1 of 1 notebooks failed") as caught:
            validate(fail_on=expression)
        assert caught.value.details["fail_on_matched"] and len(caught.value.details["verdicts"]) == 1
    else:
        assert validate(fail_on=expression)["fail_on_matched"] is False


def test_secrets_are_handed_on_by_name_and_shown_nowhere(validate, monkeypatch):
    monkeypatch.setenv("SERVICE_TOKEN", 'swordfish "quoted" 1234')
    monkeypatch.setenv("NOT_NAMED", "leaked")
    validate.notebook(
        "secret.ipynb",
        "import os\nprint(os.environ['SERVICE_TOKEN'], os.environ['PLAIN'], os.environ.get('NOT_NAMED'))",
        "url = 'https://robot:hunter2hunter2@index.example/simple'\n{'token': 'Paris'}",
        "raise RuntimeError('cannot log in with ' + os.environ['SERVICE_TOKEN'])",
    )
    result = validate(pass_variables=["SERVICE_TOKEN"], environment_variables={"PLAIN": "visible"})
    kept = {path.name: path.read_text() for path in Path(result["verdicts"][0]["executed"]).parent.iterdir()}
    assert "visible None" in kept["executed.ipynb"] and "Paris" in kept["executed.ipynb"]
    for text in (*kept.values(), json.dumps(result["verdicts"]), *validate.lines):
        assert "swordfish" not in text and "hunter2" not in text
    nbformat.validate(nbformat.read(result["verdicts"][0]["executed"], as_version=4))


def test_a_missing_module_is_repaired_on_request_and_the_line_is_reported(validate):
    validate.notebook("table.ipynb", "import tabulate\nprint(tabulate.tabulate([[1]]))")
    broken = validate()["by_name"]["table.ipynb"]
    assert (broken["code"], broken["module"], broken["distribution"]) == ("missing_module", "tabulate", "tabulate")
    repaired = validate(repair=2)
    assert repaired["by_name"]["table.ipynb"]["status"] == "succeeded"
    assert repaired["by_name"]["table.ipynb"]["requirements_found"] == ["tabulate"]
    assert not validate(repair=2)["changed"]


def test_what_another_collection_made_is_not_repaired(validate):
    validate.notebook("table.ipynb", "import tabulate")
    foreign = {**validate.environment["environment"], "strategy": "acme.builders.conda"}
    result = validate(repair=1, environments=validate.environments("table.ipynb", environment=foreign))
    assert result["verdicts"][0]["code"] == "missing_module"


def test_repair_ends_where_nothing_provides_the_module(validate):
    validate.notebook("private.ipynb", "import mlops_no_such_module_anywhere")
    verdict = validate(repair=2)["by_name"]["private.ipynb"]
    assert verdict["code"] == "missing_module"


def test_failures_of_the_infrastructure_are_tried_again_and_not_remembered(validate, cache, monkeypatch):
    monkeypatch.setattr(pipeline, "RETRY_DELAY", 0)
    validate.notebook("flaky.ipynb", "1")
    shared = cache / "flaky"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o777)
    python = shared / "python"
    real = validate.environment["environment"]["python"]
    python.write_text(f'#!/bin/sh\nset -C\n{{ true > "{shared}/once"; }} 2>/dev/null && exit 7\nexec "{real}" "$@"\n')
    python.chmod(0o755)
    environment = {**validate.environment["environment"], "python": str(python)}
    environments = validate.environments("flaky.ipynb", environment=environment)
    given_up = validate(environments=environments, retries=0)["verdicts"][0]
    assert given_up["status"] == "failed" and given_up["retryable"] and given_up["attempts"] == 1
    (shared / "once").unlink()
    verdict = validate(environments=environments, retries=1)["verdicts"][0]
    assert (verdict["status"], verdict["attempts"], verdict["cached"]) == ("succeeded", 2, False)


def test_check_mode_expects_a_run_where_the_verdict_is_forgotten_by_then(validate, tmp_path):
    validate.notebook("old.ipynb", "1")
    place = Path(validate()["verdicts"][0]["executed"]).parent
    month_ago = time.time() - 31 * 86400
    os.utime(place, (month_ago, month_ago))
    assert validate(max_age=30, check_mode=True)["planned"] == ["old.ipynb"]
    untouched = tmp_path / "no-cache-yet"
    assert validate(cache_dir=str(untouched), check_mode=True)["planned"] == ["old.ipynb"]
    assert not (untouched / "verdicts").exists()


def test_verdicts_that_nobody_asked_for_are_forgotten(validate):
    validate.notebook("old.ipynb", "1")
    place = Path(validate()["verdicts"][0]["executed"]).parent
    month_ago = time.time() - 31 * 86400
    os.utime(place, (month_ago, month_ago))
    (validate.root / "old.ipynb").unlink()
    validate.notebook("new.ipynb", "1")
    validate(max_age=40)
    assert place.exists()
    validate(max_age=30, check_mode=True)
    assert place.exists()
    validate(max_age=30)
    assert not place.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": "/no/such/place"}, "There is no directory /no/such/place"),
        ({"fail_on": "verdicts[?"}, "fail_on is no JMESPath expression"),
        ({"golden": "nowhere"}, "There is no directory nowhere"),
        ({"overrides": [{"notebooks": ["none*"]}]}, "names none of the notebooks"),
        ({"overrides": [{"notebooks": ["a.ipynb"], "golden": "../x.ipynb"}]}, "golden notebook ../x.ipynb"),
        ({"policies": {"no_such": True}}, "no policy no_such"),
        ({"limits": {"memory": "lots"}}, "limits.memory is 'lots'"),
        ({"pass_variables": ["NOT_SET_ANYWHERE"]}, "pass_variables names NOT_SET_ANYWHERE"),
        ({"timeout": -1}, "timeout is -1"),
        ({"golden": "../other"}, "golden names the directory of golden notebooks"),
        ({"overrides": [{"notebooks": ["a.ipynb"], "cell_timeout": -3}]}, "cell_timeout of the override"),
        ({"overrides": [{"notebooks": ["a.ipynb"], "parameters": {"class": 1}}]}, "The parameter 'class'"),
        ({"parameters": {"two words": 1}}, "The parameter 'two words'"),
        ({"environment_variables": {"A=B": "1"}}, "The variable 'A=B'"),
        ({"environment_variables": {"A": "\0"}}, "The variable 'A'"),
        ({"workers": -1}, "workers is -1"),
        ({"environments": [{"key": "k"}]}, "environments is not what"),
        ({"refused": [{"notebook": "a.ipynb"}]}, "refused has an entry without notebook, code or message"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(validate, options, sentence):
    validate.notebook("a.ipynb", "1")
    (validate.root.parent / "other").mkdir()
    with pytest.raises(EngineError) as caught:
        validate(**options)
    assert sentence in caught.value.message
    assert caught.value.message.count(". ") == 0 and not validate.lines


def test_limits_act(validate):
    validate.notebook("greedy.ipynb", "b = bytearray(700_000_000)\nb[::4096] = b'x' * len(b[::4096])")
    greedy = validate(limits={"memory": "600MiB"})["by_name"]["greedy.ipynb"]
    assert greedy["code"] == "out_of_memory"
    assert validate(limits={"memory": "0"})["by_name"]["greedy.ipynb"]["status"] == "succeeded"
