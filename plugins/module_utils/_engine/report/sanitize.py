# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML that a notebook made, reduced to what only shows something.

The result is written anew from tags and attributes of a list, with everything else escaped, so that it holds nothing
but them however odd the input is. No tag of the list changes how a browser reads what follows (no style, no svg, no
template), so a browser sees what is written here. The pages' content security policy is the other wall: it runs no
script and loads nothing, whatever stands in a page.

Written here, since bleach took 9 ms a KiB of table where this takes well under one.
"""

from __future__ import annotations

import functools
import re
from html import escape, unescape

_TAGS = frozenset(
    "a abbr b blockquote br caption center code col colgroup dd del details div dl dt em figcaption figure font h1 h2 h3"
    " h4 h5 h6 hr i img ins kbd li mark meter ol p pre progress q s samp small span strong sub summary sup table tbody"
    " td tfoot th thead tr u ul var wbr".split()
)
_VOID = frozenset("br col hr img wbr".split())
# What stands in these is no prose: dropped with the tag, where other unknown tags leave their text behind.
_SILENT = frozenset(
    "script style template noscript iframe object applet svg math title textarea select noembed noframes xmp video"
    " audio canvas head".split()
)
_PROSE = frozenset("align alt colspan height open rowspan start title width".split())
_RICH = _PROSE | frozenset(
    "bgcolor cellpadding cellspacing class color dir hidden high id lang low max min optimum reversed scope span style"
    " type valign value".split()
)
_TAG = re.compile(r"""<(?P<end>/?)(?P<name>[A-Za-z][^\s/>"'<]*)(?P<attributes>(?:[^>"']|"[^"]*"|'[^']*')*|[^>]*)>""")
_ATTRIBUTE = re.compile(r"""(?P<name>[^\s=/>"']+)(?:\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s>]+))?""")
_DECLARATION = re.compile(r"<[!?/A-Za-z]")
_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|svg\+xml|avif|bmp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_PROPERTIES = frozenset(
    "background background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width"
    " border-collapse border-color border-left border-left-color border-radius border-right border-right-color"
    " border-spacing border-style border-top border-top-color border-width caption-side color display flex"
    " flex-direction flex-wrap float font font-family font-size font-style font-variant font-weight gap height"
    " letter-spacing line-height list-style list-style-type margin margin-bottom margin-left margin-right margin-top"
    " max-height max-width min-height min-width opacity overflow overflow-wrap overflow-x overflow-y padding"
    " padding-bottom padding-left padding-right padding-top text-align text-decoration text-indent text-overflow"
    " text-shadow text-transform vertical-align visibility white-space width word-break word-wrap".split()
)
# Anything that fetches, or that writes such a thing in escapes.
_FETCHES = re.compile(r"url\s*\(|image-set|image\s*\(|src\s*\(|expression\s*\(|javascript:|@import|\\", re.IGNORECASE)


def rich(html: str) -> tuple[str, str]:
    """Return the body and the style sheet of an HTML output, for use in a shadow root of their own."""
    body, sheets = _clean(html, _RICH)
    return body, _sheet("\n".join(sheets)) if sheets else ""


def prose(html: str) -> str:
    """Return the HTML of a Markdown text, for use within the page: no style, no identifiers."""
    return _clean(html, _PROSE)[0]


def shows_something(html: str) -> bool:
    """Say whether anything of it would be seen; a plot that needs its script leaves only empty boxes."""
    return bool(re.search(r"<(?:img|hr|progress|meter)\b", html) or re.sub(r"<[^>]*>|&nbsp;|\s", "", html))


def _clean(html: str, attributes: frozenset[str]) -> tuple[str, list[str]]:
    """Return the body written anew, and the style sheets that stood in it.

    Reads once from left to right; what is not a whole tag at the end is dropped, as browsers do.
    """
    written: list[str] = []
    sheets: list[str] = []
    unclosed: list[str] = []
    at = 0
    while at < len(html):
        start = html.find("<", at)
        start = len(html) if start < 0 else start
        written.append(escape(unescape(html[at:start]), quote=False))
        tag = _TAG.match(html, start)
        if tag:
            at = tag.end()
            if tag["name"].lower() in _SILENT:
                at, content = _silence(html, tag)
                sheets += [content] if tag["name"].lower() == "style" else []
            else:
                written += _rewrite(tag, unclosed, attributes)
        elif _DECLARATION.match(html, start):
            close = "-->" if html.startswith("<!--", start) else ">"
            end = html.find(close, start + 2)
            at = len(html) if end < 0 else end + len(close)
        else:
            written.append("&lt;" if start < len(html) else "")
            at = start + 1
    return "".join(written) + "".join(f"</{name}>" for name in reversed(unclosed)), sheets


def _silence(html: str, tag: re.Match) -> tuple[int, str]:
    """Return where the element ends that the tag begins, and what stands in it."""
    if tag["end"]:
        return tag.end(), ""
    close = re.compile(rf"</{tag['name']}\b[^>]*>", re.IGNORECASE).search(html, tag.end())
    end = close or re.compile(r"\Z").search(html)
    return end.end(), html[tag.end() : end.start()]


def _rewrite(tag: re.Match, unclosed: list[str], attributes: frozenset[str]) -> list[str]:
    """Return the tag anew, where it may stand; an end tag closes what stands open within it."""
    name = tag["name"].lower()
    if name not in _TAGS:
        return []
    if tag["end"]:
        closed = unclosed[unclosed.index(name) :] if name in unclosed else []
        del unclosed[len(unclosed) - len(closed) :]
        return [f"</{inner}>" for inner in reversed(closed)]
    kept = {}
    for found in _ATTRIBUTE.finditer(tag["attributes"]):
        value = unescape((found["value"] or "").strip("\"'"))
        if _allows(name, found["name"].lower(), value, attributes):
            kept.setdefault(found["name"].lower(), value)
    if name == "img":
        if "src" not in kept:
            return [escape(kept.get("alt", ""))]
        kept.setdefault("alt", "Image")
    if name not in _VOID:
        unclosed.append(name)
    written = "".join(f' {key}="{escape(value)}"' for key, value in kept.items())
    return [f"<{name}{written}>"]


def _allows(tag: str, name: str, value: str, attributes: frozenset[str]) -> bool:
    if name == "src":
        return tag == "img" and bool(_IMAGE.fullmatch(value))
    if name == "href":
        return tag == "a" and bool(_LINK.match(value))
    return name in attributes and (name != "style" or _harmless(value))


@functools.lru_cache(maxsize=4096)
def _harmless(style: str) -> bool:
    """Say whether a style attribute sets nothing but looks."""
    names = [part.partition(":")[0].strip().lower() for part in style.split(";") if part.strip()]
    return not _FETCHES.search(style) and set(names) <= _PROPERTIES


def _sheet(text: str) -> str:
    """Return the rules of a style sheet that set nothing but looks."""
    import tinycss2

    kept = []
    for rule in tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True):
        if rule.type != "qualified-rule":
            continue
        declarations = [
            item.serialize()
            for item in tinycss2.parse_declaration_list(rule.content, skip_comments=True, skip_whitespace=True)
            if item.type == "declaration" and item.lower_name in _PROPERTIES
        ]
        written = f"{tinycss2.serialize(rule.prelude).strip()} {{ {'; '.join(declarations)} }}"
        if declarations and "<" not in written and ":host" not in written and not _FETCHES.search(written):
            kept.append(written)
    return "\n".join(kept)
