# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare two texts by their meaning: numbers within tolerances, and what differs in every run left out."""

from __future__ import annotations

import ast
import difflib
import re
from dataclasses import dataclass, field

from ..outputs import terminal_text
from .options import GoldenOptions
from .stamps import STAMP, RunTimes, is_number

_STYLER = re.compile(r"\bT_[0-9a-f]{5}(?=[_\"'\s{#]|$)")
_HTML_ID = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{32}(?![0-9a-fA-F])")
_SVG_ID = re.compile(r"(?<![0-9a-zA-Z])[a-z][0-9a-f]{10}(?![0-9a-zA-Z])|<dc:date>[^<]*</dc:date>")
_IPYKERNEL = re.compile(r"(?:[\w.:~/\\-]{0,200}[/\\])?ipykernel_\d+[/\\]\d+\.py|<ipython-input-\d+-[0-9a-f]+>")
# tqdm's line: "desc:  50%|#####     | 5/10 [00:01<00:01, 4.90it/s]"; only what is in brackets tells the time.
_BAR = re.compile(r"(\d{1,3}%)\|[^|\n]*\|( *[\d.]+[kMG]?/[\d.]+[kMG]?) *\[[^\]\n]*\]")
_BAR_OPEN = re.compile(r"(?<!\d)(\d{1,15}(?:it|B)) ?\[\d+:\d{2}[^\]\n]*\]")
_UNIT = r"(?:ns|[uµμ]s|ms|s|sec|secs|seconds?|min|mins|minutes?|h|hours?|milliseconds?|microseconds?)"
_DURATION = re.compile(rf"(?<![\w.])(?:\d+(?:\.\d+)?(?:e[-+]?\d+)? ?{_UNIT}\b|\d+:\d{{2}}:\d{{2}}(?:\.\d+)?\b)(?: ?±)?")
_FILE_STAMP = re.compile(r"(?<!\d)20\d{6}[-_T]\d{6}Z?(?!\d)")  # results_20260131_235959.csv
_LOOPS = re.compile(r"\d+ runs?, [\d,]+ loops? each|best of \d+")

# With hyphens, or the 32 digits of uuid4().hex, told from other digests by version and variant (RFC 9562, 5.4).
_UUID = (
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|(?<![0-9a-zA-Z])[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}(?![0-9a-zA-Z])"
)
_ADDRESS = r"(?<= at )0x[0-9a-fA-F]+|0x[0-9a-fA-F]{9,16}"
_REST = r"[^\s'\"<>:,;()\[\]{}]*"
_TEMPORARY = (
    r"/(?:[\w.@+-]{1,100}/){0,12}?(?:tmp/|mlops-notebooks-|tmp[a-z0-9_]{8}(?![a-z0-9_]))"
    rf"{_REST}|/var/folders/{_REST}|[A-Za-z]:\\{_REST}\\Temp\\{_REST}"
)
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_WHOLE = re.compile(r"[-+]?\d+\.?")
# Up to the last part of a path that differs in every run; below mlops-notebooks-* that is the number of the run.
_BELOW_TEMPORARY = re.compile(
    r"^.*[/\\](?:(?:tmp|T|Temp)[/\\](?!mlops-notebooks-)[^/\\]*|mlops-notebooks-[^/]*/[^/]*|tmp[a-z0-9_]{8}[^/\\]*)"
)

_LONGEST_DIFF = 60  # lines shown
_LONGEST_LINE = 300  # characters shown
_COMPARED = 1000  # lines after the first difference that are looked at


@dataclass(frozen=True)
class Texts:
    """How texts of one cell are compared."""

    options: GoldenOptions = field(default_factory=GoldenOptions)
    times: RunTimes = field(default_factory=RunTimes)

    def normalise(self, text: str, mime: str = "text/plain") -> str:
        """Return the text without what differs in every run and needs no look at the other side."""
        text = terminal_text(text)
        if "ipykernel_" in text or "<ipython-input-" in text:
            text = _IPYKERNEL.sub("<cell>", text)
        text = _BAR_OPEN.sub(r"\1 [<time>]", _BAR.sub(r"\1|\2 [<time>]", text))
        if mime in ("text/html", "application/javascript", "image/svg+xml") or mime.endswith("+json"):
            text = _HTML_ID.sub("<id>", _STYLER.sub("T_", text))
        if mime == "image/svg+xml":
            text = _SVG_ID.sub("<id>", text)
        if self.options.ignore_timestamps:
            text = _FILE_STAMP.sub("<stamp>", text)
        if self.options.ignore_timings:
            text = re.sub(
                r"<duration>(?:\s*<duration>)*", "<duration>", _LOOPS.sub("<loops>", _DURATION.sub("<duration>", text))
            )
        return sort_sets(text) if mime == "text/plain" or not mime.count("/") else text

    def equal(self, golden: str, executed: str, *, lines: bool = False) -> bool:
        """Whether two normalised texts are the same; lines: a line break is not just white space."""
        if golden == executed:
            return True
        left, right = self._tokens(golden, lines), self._tokens(executed, lines)
        return len(left) == len(right) and all(self._same(a, b) for a, b in zip(left, right, strict=False))

    def diff(self, golden: str, executed: str) -> str:
        """Return a unified diff of two normalised texts in which equal lines are shown as equal."""
        before, after = golden.splitlines(), executed.splitlines()
        same = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if not self.equal(a, b)), 0)
        first = max(0, same - 2)
        before, after = before[first : first + _COMPARED], after[first : first + _COMPARED]
        shown = list(after)
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if tag == "replace" and i2 - i1 == j2 - j1:
                for i, j in zip(range(i1, i2), range(j1, j2), strict=False):
                    if self.equal(before[i], after[j]):
                        shown[j] = before[i]
        lines = list(difflib.unified_diff(before, shown, "golden", "executed", n=2, lineterm=""))
        lines = [line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "…" for line in lines]
        if len(lines) > _LONGEST_DIFF:
            lines = [*lines[:_LONGEST_DIFF], f"... {len(lines) - _LONGEST_DIFF} more lines"]
        return "\n".join(lines)

    def same_number(self, golden: str, executed: str) -> bool:
        """Whether two numbers as written are equal within the tolerances."""
        if golden == executed:
            return True
        if _WHOLE.fullmatch(golden) and _WHOLE.fullmatch(executed):
            if _digits(golden) == _digits(executed):
                return True
            if not self.options.tolerance_given:
                return False
        return self.options.close(float(golden), float(executed))

    def _tokens(self, text: str, lines: bool) -> list[tuple[str, str]]:
        kinds = [("uuid", _UUID), ("temporary", _TEMPORARY)]
        if self.options.ignore_addresses:
            kinds.append(("address", _ADDRESS))
        if self.options.ignore_timestamps:
            kinds.append(("stamp", rf"(?<![\w.:/-])(?:{STAMP})(?![\d:])"))
        kinds += [("number", _NUMBER), ("word", r"[^\W\d]\w*")]
        if lines:
            text = re.sub(r"[ \t]*\n", "\n", text).strip("\n")
            kinds.append(("line", r"\n"))
        kinds.append(("sign", r"\S"))
        pattern = re.compile("|".join(f"(?P<{name}>{form})" for name, form in kinds))
        return [(match.lastgroup or "", match.group()) for match in pattern.finditer(text)]

    def _same(self, golden: tuple[str, str], executed: tuple[str, str]) -> bool:
        if golden == executed:
            return True
        if golden[0] != executed[0]:
            return False
        kind, before, after = golden[0], golden[1], executed[1]
        if kind in ("uuid", "address"):
            return True
        if kind == "number":
            return self.same_number(before, after)
        if kind == "stamp":
            return self.times.same(before, after) or (is_number(before, after) and self.same_number(before, after))
        if kind == "temporary":
            return _BELOW_TEMPORARY.sub("", before) == _BELOW_TEMPORARY.sub("", after)
        return False


def _digits(number: str) -> str:
    return ("-" if number.startswith("-") else "") + number.strip("+-.").lstrip("0")


def sort_sets(text: str) -> str:
    """Return the text with the members of each set display in a fixed order; dictionaries stay as they are."""
    if "{" not in text or len(text) > 200_000:
        return text
    pieces, position = [], 0
    for start, end in _braces(text):
        if start < position:
            continue
        members = _members(text[start + 1 : end])
        if members is not None:
            pieces += [text[position:start], "{" + ", ".join(sorted(members)) + "}"]
            position = end + 1
    return "".join([*pieces, text[position:]])


def _members(inside: str) -> list[str] | None:
    """Return the members of a set display, or None where the text between the braces is none."""
    try:
        value = ast.literal_eval("{" + inside + "}")
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        # Members that are no literals: reprs of objects. A colon, a nested bracket or a break tells something else.
        parts = [" ".join(part.split()) for part in inside.split(",")]
        plain = len(parts) > 1 and all(parts) and not re.search(r"[:;{}()\[\]\"']", inside)
        return parts if plain else None
    return [repr(item) for item in value] if isinstance(value, set) else None


def _braces(text: str) -> list[tuple[int, int]]:
    """Return the outermost first list of matching braces; quoted braces do not count where quotes are balanced."""
    opened, pairs, quote, escaped = [], [], "", False
    for position, char in enumerate(text):
        if quote:
            if not escaped and char == quote or char == "\n":
                quote = ""
            escaped = char == "\\" and not escaped
        elif char in "'\"" and opened:
            quote, escaped = char, False
        elif char == "{":
            opened.append(position)
        elif char == "}" and opened:
            pairs.append((opened.pop(), position))
    return sorted(pairs)
