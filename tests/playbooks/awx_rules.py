# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX accepts as a survey and as a credential type.

Sources: the API guide of AWX on a job template's survey_spec, and the chapter "Custom Credential Types" of its user guide.
"""

from __future__ import annotations

import re

TYPES = {
    "text": str, "textarea": str, "password": str, "multiplechoice": str, "multiselect": str, "integer": int, "float": float,
}  # fmt: skip
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def survey_complaints(survey: dict) -> list[str]:
    """Return why AWX would refuse a survey; nothing where it would not."""
    found = [f"{name} is missing" for name in ("name", "description") if not isinstance(survey.get(name), str)]
    questions = survey.get("spec") or []
    variables = [question.get("variable") for question in questions]
    found += ["there are no questions"] if not questions else []
    found += [f"{one} is asked twice" for one in sorted({one for one in variables if variables.count(one) > 1})]
    return found + [f"{question.get('variable')}: {why}" for question in questions for why in _about(question)]


def _about(question: dict) -> list[str]:
    wanted = {"question_name": str, "variable": str, "type": str, "required": bool}
    found = [f"{name} is no {form.__name__}" for name, form in wanted.items() if type(question.get(name)) is not form]
    kind, default = question.get("type"), question.get("default", "")
    if kind not in TYPES:
        return [*found, f"there is no type {kind}"]
    if not NAME.fullmatch(str(question.get("variable"))):
        found.append("is no name of a variable")
    if default != "" and type(default) is not TYPES[kind]:
        found.append(f"the default is no {kind}")
    for limit in ("min", "max"):
        if type(question.get(limit, 0)) is not int:
            found.append(f"{limit} is no integer")
    if kind.startswith("multi"):
        chosen, choices = str(default).splitlines(), question.get("choices") or []
        if not choices:
            found.append("there are no choices")
        if any(one not in choices for one in chosen) or kind == "multiplechoice" and len(chosen) > 1:
            found.append("the default is no choice")
    elif kind.startswith("text") and len(str(default)) not in range(
        question.get("min", 0), question.get("max", 1024) + 1
    ):
        found.append("the default is too long or too short")
    return found


def credential_type_complaints(one: dict) -> list[str]:
    """Return why AWX would refuse a credential type; what its injectors say is not looked at."""
    found = [] if one.get("kind") in ("cloud", "net") else ["only cloud and net are kinds of one's own"]
    for field in one["inputs"]["fields"]:
        known = {"id", "label", "type", "format", "secret", "multiline", "help_text", "default", "choices"}
        if not {"id", "label"} <= set(field) <= known or not NAME.fullmatch(field["id"]) or field["id"] == "tower":
            found.append(f"{field} is no field")
        if field.get("type", "string") not in ("string", "boolean"):
            found.append(f"{field['id']} has no type of AWX")
    injectors = one["injectors"]
    found += [f"there is no injector {name}" for name in set(injectors) - {"env", "file", "extra_vars"}]
    found += [
        f"{name} is no variable that may be set"
        for name in [*injectors.get("env", {}), *injectors.get("extra_vars", {})]
        if not NAME.fullmatch(name) or name.startswith("ANSIBLE_")
    ]
    found += [
        f"{name} is no name of a file"
        for name in injectors.get("file", {})
        if not re.fullmatch(r"template(\.[A-Za-z_]\w*)?", name)
    ]
    return found
