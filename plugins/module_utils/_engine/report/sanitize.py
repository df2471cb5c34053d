# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML that a notebook made, reduced to what only shows something.

The pages' content security policy runs no script and loads nothing whatever stands in them; this is the second wall,
and keeps what the policy would refuse from being tried.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

_TEXT_TAGS = (
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i"
    " img ins kbd li mark meter ol p pre progress q s samp small span strong sub summary sup table tbody td tfoot th thead"
    " tr u ul var wbr center font"
)
_RICH_ATTRIBUTES = frozenset(
    "align alt bgcolor cellpadding cellspacing class color colspan dir height hidden high id lang low max min open optimum"
    " reversed rowspan scope span start style title type valign value width".split()
)
_PROSE_ATTRIBUTES = frozenset("align alt colspan height open rowspan start title width".split())
# Their content is never prose: dropped with the tag, where other unknown tags leave their text behind.
_SILENT = re.compile(
    r"<(script|style|template|noscript|iframe|object|embed|applet|svg|math|title|textarea|select|noembed|noframes|xmp)\b.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style\s*>", re.IGNORECASE | re.DOTALL)
_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|svg\+xml|avif|bmp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
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
# Anything that fetches, or that an old engine would run.
_FETCHES = re.compile(r"url\s*\(|image-set|expression\s*\(|javascript:|@import|\\", re.IGNORECASE)


def rich(html: str) -> tuple[str, str]:
    """Return the body and the style sheet of an HTML output, for use in a shadow root of their own."""
    sheets = [_sheet(match.group(1)) for match in _STYLE.finditer(html)]
    return _cleaner(_RICH_ATTRIBUTES)(_SILENT.sub("", html)), "\n".join(filter(None, sheets))


def prose(html: str) -> str:
    """Return the HTML of a Markdown text, for use within the page: no style, no identifiers."""
    return _cleaner(_PROSE_ATTRIBUTES)(_SILENT.sub("", html))


def shows_something(html: str) -> bool:
    """Say whether anything of it would be seen; a plot that needs its script leaves only empty boxes."""
    return bool(re.search(r"<(?:img|hr|progress|meter)\b", html) or re.sub(r"<[^>]*>|&nbsp;|\s", "", html))


@functools.cache
def _cleaner(attributes: frozenset[str]) -> Callable[[str], str]:
    import bleach
    from bleach.css_sanitizer import CSSSanitizer

    def allowed(tag: str, name: str, value: str) -> bool:
        if tag == "img" and name == "src":
            return bool(_IMAGE.match(value))
        if tag == "a" and name == "href":
            return bool(_LINK.match(value))
        return name in attributes and not (name == "style" and _FETCHES.search(value))

    cleaner = bleach.Cleaner(
        tags=frozenset(_TEXT_TAGS.split()),
        attributes=allowed,
        protocols=frozenset(("http", "https", "mailto", "data")),
        strip=True,
        strip_comments=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=_PROPERTIES),
    )
    return cleaner.clean


def _sheet(text: str) -> str:
    """Return the rules of a style sheet that set nothing but looks."""
    import tinycss2

    kept = []
    for rule in tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True):
        if rule.type != "qualified-rule":
            continue
        declarations = [
            item.serialize()
            for item in tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
            if item.type == "declaration" and item.lower_name in _PROPERTIES
        ]
        written = f"{tinycss2.serialize(rule.prelude).strip()} {{ {'; '.join(declarations)} }}"
        if declarations and "<" not in written and ":host" not in written and not _FETCHES.search(written):
            kept.append(written)
    return "\n".join(kept)
