# SPDX-License-Identifier: GPL-3.0-or-later
"""Write extensions/controller/notebooks.yml, data for infra.aap_configuration, from the argument_specs of the roles.

With --check, only compare. What a survey asks for, and in which order, stands below; all else of a question is in the specs.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import dataclass

import yaml
from role_docs import ROOT, Dumper, text

TARGET = ROOT / "extensions" / "controller" / "notebooks.yml"
HEAD = """---
# Made by scripts/controller_data.py from the argument_specs of the roles; docs/awx.md says how to load it.
# What is yours are the variables notebooks_*: the image of the execution environment, and where a name differs, the name.
"""
ELSEWHERE = re.compile(r"As O\(mlops\.notebooks\.(\w+)#module:(\w+)\)[.,;]?\s*(.*)", re.DOTALL)
# Longest answers, in letters; AWX's own form offers 1024 for a line.
LINE, AREA = 1024, 65536
# Words of Ansible, which warns of variables so called: these are asked for by their full name.
RESERVED = {"namespace", "strategy", "timeout"}


@dataclass(frozen=True)
class Template:
    """A job template: of a playbook and its role. asks: variable without the role's name -> name of the question."""

    playbook: str
    role: str
    asks: dict[str, str]
    more: dict


TEMPLATES = (
    Template(
        "validate",
        "validate",
        {
            "source": "Source",
            "ref": "Branch, tag or commit",
            "path": "Directory in the source",
            "notebooks": "Notebooks",
            "exclude": "Exclude",
            "namespace": "Namespace",
            "environment_image": "Image to run in",
            "base_image": "Image to build upon",
            "repository": "Repository for images",
            "push_secret": "Secret to push by",
            "generate": "Generate requirements",
            "parameters": "Parameters",
            "timeout": "Seconds for a notebook",
            "workers": "Notebooks at once",
            "golden": "Golden notebooks",
            "rerun": "Run again",
            "repair": "Rounds of repair",
            "fail_on": "Fail on",
            "report_title": "Title of the report",
        },
        {"ask_tags_on_launch": True, "allow_simultaneous": True},
    ),
    Template(
        "images",
        "notebook_image",
        {
            "images": "Images",
            "namespace": "Namespace",
            "strategy": "Way to build",
            "repository": "Repository for images",
            "push_secret": "Secret to push by",
            "build_timeout": "Seconds for a build",
            "reuse": "Use what is there",
        },
        {},
    ),
    Template(
        "namespace",
        "namespace",
        {
            "namespace": "Namespace",
            "state": "State",
            "force": "Delete what others have put there",
            "subjects": "Who may do what",
            "builders": "Ways to build",
            "pull_secrets": "Secrets to pull by",
            "push_secrets": "Secrets to push by",
            "pod_security": "Pod security",
            "quota": "Quota",
            "network_policy": "Network policy",
        },
        {},
    ),
)


class Unsafe(str):
    """Text that Ansible must not template, since AWX does."""


Dumper.add_representer(Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style='"'))


def own(name: str, default: str | None = None) -> str:
    """Return a variable of the user's, to be templated when the data is loaded."""
    return f"{{{{ notebooks_{name} }}}}" if default is None else f"{{{{ notebooks_{name} | default('{default}') }}}}"


EXECUTION_ENVIRONMENT = own("execution_environment", "mlops.notebooks")
INVENTORY = own("inventory", "mlops.notebooks")
ORGANIZATION = own("organization", "Default")
PROJECT = own("project", "mlops.notebooks")
CREDENTIALS = own("cluster_credential", "Notebooks cluster"), own("git_credential", "Notebooks git")

CREDENTIAL_TYPE = {
    "name": "Git for mlops.notebooks",
    "description": "Access to repositories of notebooks, by user and password, by token, or by an SSH key.",
    "kind": "cloud",
    "inputs": {
        "fields": [
            {"id": "git_username", "type": "string", "label": "User name"},
            {"id": "git_password", "type": "string", "label": "Password or token", "secret": True},
            {
                "id": "git_key", "type": "string", "label": "SSH private key", "format": "ssh_private_key",
                "secret": True, "multiline": True,
            },
            {"id": "git_known_hosts", "type": "string", "label": "SSH known hosts", "multiline": True},
        ],
    },
    # What is not filled in is empty: no variable then says anything, and the files are not named.
    "injectors": {
        "env": {"GIT_USERNAME": Unsafe("{{ git_username }}"), "GIT_PASSWORD": Unsafe("{{ git_password }}")},
        "file": {
            "template.key": Unsafe("{{ git_key }}"),
            "template.known_hosts": Unsafe("{{ git_known_hosts }}\n"),
        },
        "extra_vars": {
            "validate_git_key_file": Unsafe("{{ tower.filename.key if git_key else '' }}"),
            "validate_git_known_hosts_file": Unsafe("{{ tower.filename.known_hosts if git_known_hosts else '' }}"),
        },
    },
}  # fmt: skip


def meaning(about: dict, role: str) -> str:
    """Return the description of an option; what is described elsewhere is fetched, and markup is taken away."""
    words = about["description"]
    words = " ".join(words) if isinstance(words, list) else words
    elsewhere = ELSEWHERE.fullmatch(words)
    if elsewhere:
        module, option, rest = elsewhere.groups()
        there = documentation(module)["options"][option]["description"]
        words = " ".join([*([there] if isinstance(there, str) else there), rest]).strip()
    plain = text(words).replace("`", "").replace("\\|", "|")
    return re.sub(rf"\b{role}_(?=\w)", "", plain)


def documentation(module: str) -> dict:
    """Return what a module of the collection says of itself."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    (words,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "DOCUMENTATION"
    )
    return yaml.safe_load(words)


def question(variable: str, name: str, about: dict, role: str) -> dict:
    """Return one question of a survey. Everything that AWX cannot ask for is asked for as text, in YAML."""
    kind, default = about["type"], about.get("default", "")
    choices = ["true", "false"] if kind == "bool" else about.get("choices")
    listed = kind == "list" and about["elements"] == "str"
    if choices:
        form = {"type": "multiselect" if kind == "list" else "multiplechoice", "choices": choices}
        default = json.dumps(default) if kind == "bool" else default
    elif kind in ("int", "float"):
        form = {"type": "integer" if kind == "int" else "float", "min": 0}
        default = default if default == "" else {"int": int, "float": float}[kind](default)
    else:
        area = kind in ("list", "dict")
        form = {"type": "textarea" if area else "text", "min": 0, "max": AREA if area else LINE}
    if listed:
        default = "\n".join(default)
    elif kind in ("list", "dict"):
        default = yaml.safe_dump(default, sort_keys=False) if default else ""
    return {
        "question_name": name,
        "question_description": meaning(about, role),
        "variable": f"{role}_{variable}" if variable in RESERVED else variable,
        "required": about.get("required", False),
        **form,
        "default": default,
    }


def job_template(template: Template) -> dict:
    path = ROOT / "roles" / template.role / "meta" / "argument_specs.yml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]
    options = spec["options"]
    name = f"Notebooks: {template.playbook}"
    credentials = f"{{{{ [{', '.join(one[3:-3] for one in CREDENTIALS[: 2 if template.playbook == 'validate' else 1])}] | select }}}}"
    return {
        "name": name,
        "description": spec["short_description"],
        "job_type": "run",
        "organization": ORGANIZATION,
        "inventory": INVENTORY,
        "project": PROJECT,
        "playbook": f"playbooks/{template.playbook}.yml",
        "execution_environment": EXECUTION_ENVIRONMENT,
        "credentials": credentials,
        "ask_credential_on_launch": True,
        "ask_job_type_on_launch": True,
        "ask_variables_on_launch": True,
        **template.more,
        "survey_enabled": True,
        "survey_spec": {
            "name": name,
            "description": spec["short_description"],
            "spec": [
                question(variable, label, options[f"{template.role}_{variable}"], template.role)
                for variable, label in template.asks.items()
            ],
        },
    }


def content() -> str:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    data = {
        "controller_execution_environments": [
            {"name": EXECUTION_ENVIRONMENT, "image": own("execution_environment_image"), "pull": "missing"}
        ],
        "controller_credential_types": [CREDENTIAL_TYPE],
        "controller_inventories": [{"name": INVENTORY, "organization": ORGANIZATION}],
        "controller_projects": [
            {
                "name": PROJECT,
                "organization": ORGANIZATION,
                "scm_type": "git",
                "scm_url": own("project_url", galaxy["repository"]),
                "scm_branch": own("project_branch", "main"),
                "default_environment": EXECUTION_ENVIRONMENT,
                "wait": True,
            }
        ],
        "controller_templates": [job_template(template) for template in TEMPLATES],
    }
    return HEAD + yaml.dump(data, Dumper=Dumper, sort_keys=False, width=130, allow_unicode=True)


def main() -> int:
    made = content()
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == made:
        return 0
    if "--check" in sys.argv:
        print(f"{TARGET.relative_to(ROOT)} does not say what the roles say; run scripts/controller_data.py.")
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
