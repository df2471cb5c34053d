# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/errors.md from the table of failures; with --check, only compare."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "errors.md"
sys.path.insert(0, str(ROOT))

from plugins.module_utils._engine.verdict.taxonomy import CATEGORIES, TABLE  # noqa: E402

HEAD = """# Errors

Every verdict that failed, and every refusal, has one of these codes. `category` groups them by who has to act.
A failure that is `retryable` is tried again (`retries`); all others come again with the same work, so they are not.
This page is made from `plugins/module_utils/_engine/verdict/taxonomy.py` by `scripts/error_docs.py`.
"""


def page() -> str:
    """Return docs/errors.md."""
    parts = [HEAD]
    for category, meaning in CATEGORIES.items():
        parts.append(f"## `{category}`\n{meaning}\n")
        for row in (row for row in TABLE if row.category == category):
            retry = ", retryable" if row.retryable else ""
            advice = "\n".join(f"- {line}" for line in row.advice)
            parts.append(f"### `{row.code}`{retry}\n{row.cause}\n\n{advice}\n")
    return "\n".join(parts)


def main() -> int:
    current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if current == page():
        return 0
    if "--check" in sys.argv:
        print(f"{PAGE.relative_to(ROOT)} is not what the table of failures says; run scripts/error_docs.py.")
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
