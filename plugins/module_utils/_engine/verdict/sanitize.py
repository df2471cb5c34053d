# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown to people: no escape sequences, no control characters, no secrets, and not endless."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from urllib.parse import quote

from ..notebook.outputs import terminal_text

MASK = "***"
# A shorter value would mask letters of ordinary words.
_SHORTEST_SECRET = 4

# Control characters, those that turn the direction of text around, and code points that XML refuses.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

_WORD = r"(?:password|passwd|passphrase|pwd|secret|token|(?:api|access|account|secret|private)[_-]?key|credentials?)"
_RULES: tuple[tuple[re.Pattern, str], ...] = (
    # A private key, also one whose end was cut off.
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:(?!-----BEGIN ).)*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        "-----BEGIN PRIVATE KEY----- " + MASK,
    ),
    # https://user:password@host, https://token@host, postgresql://user:password@host; ssh://git@host holds no secret.
    (re.compile(r"\b(https?|ftps?)://[^\s/@'\"<>]+@"), rf"\1://{MASK}@"),
    (re.compile(r"\b([a-z][a-z0-9+.-]{0,20})://([^\s/:@'\"<>]*):[^\s/@'\"<>]+@"), rf"\1://\2:{MASK}@"),
    (
        re.compile(
            r"([?&](?:access_token|token|api_?key|key|password|secret|client_secret|sig|signature|auth|"
            r"X-Amz-(?:Signature|Credential|Security-Token)|X-Goog-(?:Signature|Credential)|AWSAccessKeyId)=)[^\s&#'\"<>]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        re.compile(
            r"((?:Proxy-)?Authorization[\"']?\s*[:=]\s*[\"']?(?:(?:Bearer|Basic|Token|Digest|Negotiate)\s+)?)[^\s\"',;*]{4,}",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        re.compile(
            r"(\b(?:X-Api-Key|X-Auth-Token|Set-Cookie|Cookie)[\"']?\s*:\s*[\"']?)[^\s\"',*][^\r\n\"']{3,}",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(\bBearer\s+)[A-Za-z0-9._~+/-]{20,}=*"), rf"\1{MASK}"),
    # Tokens known by their beginnings.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{22,}\b|\bglpat-[\w-]{20,}"), MASK),
    (
        re.compile(r"\bhf_[A-Za-z0-9]{30,}\b|\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[\w-]{50,}|\bsha256~[\w-]{43}(?![\w-])"),
        MASK,
    ),
    (
        re.compile(
            r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bsk-[A-Za-z0-9_-]{20,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bAIza[\w-]{35}(?![\w-])"
        ),
        MASK,
    ),
    (re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*"), MASK),
)
# What a name says of the value after it: likely in messages and logs, too often wrong in a notebook on, say, language.
_NAMED: tuple[tuple[re.Pattern, str], ...] = (
    # --password VALUE; password="value"; TOKEN=value; "api_key": "value"
    (re.compile(rf"(--(?:[a-z]+-){{0,4}}{_WORD}(?:=|\s+))(?![-*])[^\s'\"]{{4,}}", re.IGNORECASE), rf"\1{MASK}"),
    (
        re.compile(rf"({_WORD}[\"']?\s*[=:]\s*[bfr]?)([\"'])(?![\[<{{*])[^\"'\n]{{4,}}\2", re.IGNORECASE),
        rf"\1\2{MASK}\2",
    ),
    (
        re.compile(
            rf"({_WORD}=)(?!(?:None|True|False|null|str|int|os\.|self\.|args\.|getpass)\b|[\d.]+\b)[^\s'\"\[\](){{}}<>,;&*$]{{4,}}(?![\w.]*[(\[])",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # password: value, but not prose such as "unexpected token: something"
    (
        re.compile(
            rf"({_WORD}:[ \t]*)(?=[^\s'\"]*[A-Za-z])(?=[^\s'\"]*\d)"
            r"[^\s'\"\[\](){}<>,;*]{8,}(?![\w.]*[(\[])",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        re.compile(
            r"(\b(?:password|passwd|passphrase):[ \t]*)(?!(?:str|int|None|bytes|Optional)\b)[^\s'\"\[\](){}<>,;*]{4,}",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
)


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text fit to be shown: without ANSI sequences and control characters, secrets as ``***``.

    secrets: values known to be secret, masked wherever they stand, also percent-encoded.
    Hashes, digests, base64 data and paths stay as they are.
    """
    text = mask(_SURROGATE.sub("\ufffd", _CONTROL.sub("", terminal_text(text))), secrets)
    for pattern, replacement in _NAMED:
        text = pattern.sub(replacement, text)
    return text


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with what certainly is a secret as ``***``, and otherwise as it is."""
    known = _known(
        tuple(sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True))
    )
    if known:
        text = known.sub(MASK, text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def shorten(text: str, limit: int) -> str:
    """Return at most about ``limit`` characters of the text: its beginning, its end, and how much is left out."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]} … {len(text) - limit} characters left out … {text[-tail:]}"


@functools.lru_cache(maxsize=16)
def _known(secrets: tuple[str, ...]) -> re.Pattern | None:
    forms = {
        form
        for secret in secrets
        for form in (secret, terminal_text(secret), quote(secret, safe=""), repr(secret)[1:-1])
    }
    ordered = sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=len, reverse=True)
    return re.compile("|".join(re.escape(form) for form in ordered)) if ordered else None
