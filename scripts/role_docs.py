# SPDX-License-Identifier: GPL-3.0-or-later
"""Write README.md and defaults/main.yml of each role from its meta/argument_specs.yml; with --check, only compare."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from textwrap import indent

import yaml

ROOT = Path(__file__).resolve().parent.parent
MARKUP = re.compile(r"([OVMEC])\(([^)]*)\)")
# Roles whose guide has another name than they have.
GUIDES = {
    "data_manager": "jupyter-operator", "jupyter_operator": "jupyter-operator", "notebook_image": "images",
    "validator_operator": "operator-install",
}  # fmt: skip
LINKS = {"M": "`{}`", "O": "`{}`", "V": "`{}`", "E": "`{}`", "C": "`{}`"}


class Dumper(yaml.SafeDumper):
    """Writes lists below their key indented, as ansible-lint wants them."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


def text(description) -> str:
    lines = description if isinstance(description, list) else [description]
    plain = MARKUP.sub(lambda match: LINKS[match[1]].format(match[2].replace("#module:", " ").strip()), " ".join(lines))
    return plain.replace("|", "\\|")


def rows(options: dict, prefix: str = "") -> list[str]:
    found = []
    for option, about in options.items():
        kind = about["type"] + (f" of {about['elements']}" if "elements" in about else "")
        default = f"`{json.dumps(about['default'])}`" if "default" in about else ""
        default = "required" if about.get("required") else default
        choices = f" One of {', '.join(f'`{choice}`' for choice in about['choices'])}." if "choices" in about else ""
        found.append(f"| `{prefix}{option}` | {kind} | {default} | {text(about['description'])}{choices} |")
        found += rows(about.get("options", {}), f"{prefix}{option}.")
    return found


def readme(name: str, spec: dict) -> str:
    guide = f"{GUIDES.get(name, name)}.md"
    lines = spec["description"] if isinstance(spec["description"], list) else [spec["description"]]
    return "\n".join(
        [
            f"# Role `mlops.notebooks.{name}`",
            "",
            *(text(line) for line in lines),
            "",
            f"How to use it: [docs/{guide}](../../docs/{guide}). This page is made from `meta/argument_specs.yml`.",
            "",
            "| variable | type | default | meaning |",
            "|---|---|---|---|",
            *rows(spec["options"]),
            "",
        ]
    )


def defaults(spec: dict) -> str:
    lines = ["---", "# Made from meta/argument_specs.yml by scripts/role_docs.py."]
    lines += [f"{option}:{value(about['default'])}" for option, about in spec["options"].items() if "default" in about]
    return "\n".join(lines) + "\n"


def value(found) -> str:
    """Return a value as it stands behind a colon: in a line, or where that is too long in several."""
    plain = isinstance(found, str) and re.fullmatch(r"[A-Za-z~][\w./~-]*", found) and yaml.safe_load(found) == found
    line = f" {found if plain else json.dumps(found)}"
    if len(line) < 120:
        return line
    return "\n" + indent(yaml.dump(found, Dumper=Dumper, sort_keys=False, width=130), "  ").rstrip()


def main() -> int:
    stale = []
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        role = path.parent.parent
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]
        for target, content in (
            (role / "README.md", readme(role.name, spec)),
            (role / "defaults" / "main.yml", defaults(spec)),
        ):
            if not target.exists() or target.read_text(encoding="utf-8") != content:
                stale.append(str(target.relative_to(ROOT)))
                if "--check" not in sys.argv:
                    target.parent.mkdir(exist_ok=True)
                    target.write_text(content, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"Not made from meta/argument_specs.yml as it stands: {', '.join(stale)}; run scripts/role_docs.py.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
