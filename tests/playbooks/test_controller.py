# SPDX-License-Identifier: GPL-3.0-or-later
"""The data for AWX and Automation Controller says what the roles say, and in the form that AWX takes."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .awx_rules import credential_type_complaints, survey_complaints
from .conftest import ROOT

COLLECTIONS = os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(ROOT / "build" / "collections")
DATA = ROOT / "extensions" / "controller" / "notebooks.yml"
DEFINITION = ROOT / "extensions" / "execution-environment" / "execution-environment.yml"
PLAYBOOKS = {"validate": "validate", "images": "notebook_image", "namespace": "namespace"}  # and their roles
FORMS = {"str": "text", "path": "text", "int": "integer", "float": "float", "list": "textarea", "dict": "textarea"}
LOAD = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_vars: {{file: {data}, name: loaded}}
    - ansible.builtin.copy: {{content: "{{{{ loaded | to_json }}}}", dest: {made}, mode: "0600"}}
"""
TAKE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_tasks: tasks/variables.yml
    - ansible.builtin.copy:
        content: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) | to_json }}"
        dest: "{{ made }}"
        mode: "0600"
      vars:
        names: "{{ query('ansible.builtin.varnames', '^' ~ flat_role ~ '_') }}"
"""


def tool(name: str, *arguments, cwd: Path, wanted: int = 0) -> str:
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(cwd), "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
    }  # fmt: skip
    command = [str(Path(sys.executable).with_name(name)), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == wanted, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> dict:
    """The data as Ansible has it, which is what infra.aap_configuration sends."""
    place = tmp_path_factory.mktemp("loaded")
    (place / "load.yml").write_text(LOAD.format(data=DATA, made=place / "made.json"))
    image = "notebooks_execution_environment_image=registry.example.com/team/notebooks-ee:1"
    tool("ansible-playbook", "load.yml", "-e", image, "-e", "notebooks_git_credential=", cwd=place)
    return json.loads((place / "made.json").read_text())


@pytest.fixture
def take(tmp_path):
    """Give the answers of a survey to a playbook; what its role is told comes back."""
    (tmp_path / "roles").symlink_to(ROOT / "roles")
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "tasks").symlink_to(ROOT / "playbooks" / "tasks")
    (tmp_path / "playbooks" / "take.yml").write_text(TAKE)

    def run(role: str, answers: dict, wanted: int = 0):
        made = tmp_path / "made.json"
        given = json.dumps({**answers, "flat_role": role, "made": str(made)})
        text = tool("ansible-playbook", "playbooks/take.yml", "-e", given, cwd=tmp_path, wanted=wanted)
        return json.loads(made.read_text()) if not wanted else text

    return run


def options_of(role: str) -> dict:
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    return yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]


def template(loaded: dict, playbook: str) -> dict:
    (one,) = (one for one in loaded["controller_templates"] if one["playbook"] == f"playbooks/{playbook}.yml")
    return one


def test_the_data_is_made_from_the_roles_as_they_stand():
    tool("python", "scripts/controller_data.py", "--check", cwd=ROOT)


@pytest.mark.parametrize(("playbook", "role"), PLAYBOOKS.items())
def test_each_question_is_an_option_of_the_role_with_its_form_choices_and_default(loaded, take, playbook, role):
    options = options_of(role)
    answers, expected = {}, {}
    for question in template(loaded, playbook)["survey_spec"]["spec"]:
        name = f"{role}_{question['variable'].removeprefix(role + '_')}"
        about = options[name]
        choices = ["true", "false"] if about["type"] == "bool" else about.get("choices")
        multi = "multiselect" if about["type"] == "list" else "multiplechoice"
        assert question["type"] == (multi if choices else FORMS[about["type"]]), name
        assert question.get("choices") == choices and question["required"] == about.get("required", False)
        assert question["question_description"] and not re.search(r"[OVMEC]\(|`", question["question_description"])
        answers[question["variable"]] = question["default"]
        if question["default"] != "":
            expected[name] = about["default"]
    assert answers and expected.items() <= take(role, answers).items()


def test_awx_takes_the_surveys_and_what_the_templates_name_is_there(loaded):
    names = {kind: {one["name"] for one in loaded[f"controller_{kind}"]} for kind in ("projects", "inventories")}
    (environment,) = loaded["controller_execution_environments"]
    assert environment["image"] == "registry.example.com/team/notebooks-ee:1"
    assert len(loaded["controller_templates"]) == len(PLAYBOOKS)
    for one in loaded["controller_templates"]:
        assert survey_complaints(one["survey_spec"]) == [] and one["survey_enabled"]
        assert (ROOT / one["playbook"]).is_file()
        assert one["project"] in names["projects"] and one["inventory"] in names["inventories"]
        assert one["execution_environment"] == environment["name"]
        assert one["credentials"] == ["Notebooks cluster"], "a name that is emptied is left out"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"variable": "ref"}, "ref is asked twice"),
        ({"type": "number"}, "there is no type number"),
        ({"type": "float", "default": 3}, "the default is no float"),
        ({"type": "multiplechoice", "choices": ["a"], "default": "b"}, "the default is no choice"),
        ({"required": "yes"}, "required is no bool"),
    ],
)
def test_a_survey_that_awx_would_refuse_is_seen(loaded, change, why):
    survey = copy.deepcopy(template(loaded, "validate")["survey_spec"])
    survey["spec"][0].update(change)
    assert any(why in one for one in survey_complaints(survey))


def test_answers_are_text_and_become_what_the_role_wants(take):
    answers = {
        "notebooks": "- a.ipynb\nsub/[ab]*.ipynb, c.ipynb", "exclude": '["x/**", "y.ipynb"]', "parameters": "region: south\nn: 3",
        "overrides": "- notebooks: [a.ipynb]\n  timeout: 5", "policies": '{"strict": true}', "generate": "no", "workers": "", "ref": " ",
    }  # fmt: skip
    told = take("validate", answers)
    assert told["validate_notebooks"] == ["a.ipynb", "sub/[ab]*.ipynb", "c.ipynb"]
    assert told["validate_exclude"] == ["x/**", "y.ipynb"]
    assert told["validate_parameters"] == {"region": "south", "n": 3}
    assert told["validate_overrides"] == [{"notebooks": ["a.ipynb"], "timeout": 5}]
    assert told["validate_policies"] == {"strict": True} and told["validate_generate"] is False
    assert "validate_workers" not in told and "validate_ref" not in told
    assert "item=parameters" in take("validate", {"parameters": "a: [b"}, wanted=2)


def inject(injectors: dict, **inputs) -> tuple[dict, dict, dict]:
    """What AWX does with a credential: files, then variables of the environment, and extra variables that may name files."""
    render = ImmutableSandboxedEnvironment(keep_trailing_newline=True).from_string
    files = {name.partition(".")[2]: render(text).render(**inputs) for name, text in injectors["file"].items()}
    inputs["tower"] = SimpleNamespace(filename=SimpleNamespace(**{name: f"/runner/env/{name}" for name in files}))
    rest = (
        {name: render(text).render(**inputs) for name, text in injectors[kind].items()}
        for kind in ("env", "extra_vars")
    )
    return files, *rest


def test_the_credential_type_hands_on_what_is_filled_in_and_nothing_else(loaded):
    (one,) = loaded["controller_credential_types"]
    assert credential_type_complaints(one) == []
    fields = {field["id"]: field for field in one["inputs"]["fields"]}
    assert fields["git_password"]["secret"] and fields["git_key"]["secret"]
    assert set(one["injectors"]["extra_vars"]) <= set(options_of("validate"))
    _files, environment, variables = inject(one["injectors"], git_username="jane", git_password="s3cr3t-value")
    assert environment == {"GIT_USERNAME": "jane", "GIT_PASSWORD": "s3cr3t-value"} and set(variables.values()) == {""}
    files, environment, variables = inject(one["injectors"], git_key="KEY\n", git_known_hosts="host ssh-rsa AAAA")
    assert files == {"key": "KEY\n", "known_hosts": "host ssh-rsa AAAA\n"} and set(environment.values()) == {""}
    assert variables == {
        "validate_git_key_file": "/runner/env/key",
        "validate_git_known_hosts_file": "/runner/env/known_hosts",
    }


def test_the_execution_environment_holds_the_collection_and_what_it_needs(tmp_path):
    tool("ansible-builder", "create", "-f", DEFINITION, "-c", tmp_path / "context", cwd=tmp_path)
    build = tmp_path / "context" / "_build"
    (collection,) = yaml.safe_load((build / "requirements.yml").read_text())["collections"]
    assert collection["name"] == "mlops.notebooks" and "openssh" in (build / "bindep.txt").read_text()
    (recipe,) = (tmp_path / "context").glob("*file")
    assert "ENV ANSIBLE_REMOTE_TMP=/tmp/" in recipe.read_text()
    needs = yaml.safe_load(tool("ansible-builder", "introspect", COLLECTIONS, cwd=tmp_path))
    for kind, file in (("python", "requirements.txt"), ("system", "bindep.txt")):
        found = {line.partition("  #")[0] for line in needs[kind] if "mlops.notebooks" in line}
        declared = {line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")}
        # PyYAML comes with ansible-core, and ansible-builder leaves it out.
        assert found == {line for line in declared if not line.startswith("PyYAML")}
