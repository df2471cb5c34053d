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
# Beside each rule, small letters of which a text that it changes holds at least one: looking for these first is cheap.
_RULES: tuple[tuple[tuple[str, ...], re.Pattern, str], ...] = (
    # A private key, also one whose end was cut off.
    (
        ("-----begin",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:(?!-----BEGIN ).)*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        "-----BEGIN PRIVATE KEY----- " + MASK,
    ),
    # https://user:password@host, https://token@host, postgresql://user:password@host; ssh://git@host holds no secret.
    (("@",), re.compile(r"\b(https?|ftps?)://[^\s/@'\"<>]+@"), rf"\1://{MASK}@"),
    (("@",), re.compile(r"\b([a-z][a-z0-9+.-]{0,20})://([^\s/:@'\"<>]*):[^\s/@'\"<>]+@"), rf"\1://\2:{MASK}@"),
    (
        ("?", "&"),
        re.compile(
            r"([?&](?:access_token|token|api_?key|key|password|secret|client_secret|sig|signature|auth|"
            r"X-Amz-(?:Signature|Credential|Security-Token)|X-Goog-(?:Signature|Credential)|AWSAccessKeyId)=)[^\s&#'\"<>]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        ("authorization",),
        re.compile(
            r"((?:Proxy-)?Authorization[\"']?\s*[:=]\s*[\"']?(?:(?:Bearer|Basic|Token|Digest|Negotiate)\s+)?)[^\s\"',;*]{4,}",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        ("x-api-key", "x-auth-token", "cookie"),
        re.compile(
            r"(\b(?:X-Api-Key|X-Auth-Token|Set-Cookie|Cookie)[\"']?\s*:\s*[\"']?)[^\s\"',*][^\r\n\"']{3,}",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (("bearer",), re.compile(r"(\bBearer\s+)[A-Za-z0-9._~+/-]{20,}=*"), rf"\1{MASK}"),
    # Tokens known by their beginnings.
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
        re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{22,}\b|\bglpat-[\w-]{20,}"),
        MASK,
    ),
    (
        ("hf_", "npm_", "pypi-", "sha256~"),
        re.compile(r"\bhf_[A-Za-z0-9]{30,}\b|\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[\w-]{50,}|\bsha256~[\w-]{43}(?![\w-])"),
        MASK,
    ),
    (
        ("xox", "sk-", "k_live_", "k_test_", "aiza"),
        re.compile(
            r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bsk-[A-Za-z0-9_-]{20,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bAIza[\w-]{35}(?![\w-])"
        ),
        MASK,
    ),
    (("eyj",), re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*"), MASK),
)
_NEEDS = tuple(dict.fromkeys(need for needs, _pattern, _shown in _RULES for need in needs))
# Of these, each rule below needs one.
_NAMES = ("passw", "passphrase", "pwd", "secret", "token", "key", "credential")
# Letters that a pattern without regard to case takes for i or s, but lower() does not: with one, no rule is left out.
_FOLDED = "\u0130\u0131\u017f"
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
    if not text.isprintable():  # without a character that is none to print, neither of these changes anything
        text = _SURROGATE.sub("\ufffd", _CONTROL.sub("", terminal_text(text)))
    text = mask(text, secrets)
    small = _small(text)
    if small is None or _holds(small, _NAMES):
        for pattern, replacement in _NAMED:
            text = pattern.sub(replacement, text)
    return text


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with what certainly is a secret as ``***``, and otherwise as it is."""
    known = _known(tuple(secrets))
    if known:
        text = known.sub(MASK, text)
    # No rule's replacement makes what another one needs.
    small = _small(text)
    if small is None or _holds(small, _NEEDS):
        for needs, pattern, replacement in _RULES:
            if small is None or _holds(small, needs):
                text = pattern.sub(replacement, text)
    return text


def _small(text: str) -> str | None:
    """Return the text in small letters, None where that is not how patterns see it."""
    if text.isascii() or not _holds(text, _FOLDED):
        return text.lower()
    return None


def _holds(text: str, needs: Iterable[str]) -> bool:
    # A loop, since a generator costs more than what it does here.
    for need in needs:  # noqa: SIM110
        if need in text:
            return True
    return False


def shorten(text: str, limit: int) -> str:
    """Return at most about ``limit`` characters of the text: its beginning, its end, and how much is left out."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]} … {len(text) - limit} characters left out … {text[-tail:]}"


@functools.lru_cache(maxsize=16)
def _known(secrets: tuple[str, ...]) -> re.Pattern | None:
    """Return what finds the secrets, the longest first, in any form; None where there is none."""
    forms = {
        form
        for secret in secrets
        if len(secret) >= _SHORTEST_SECRET
        for form in (secret, terminal_text(secret), quote(secret, safe=""), repr(secret)[1:-1])
    }
    ordered = sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=len, reverse=True)
    return re.compile("|".join(re.escape(form) for form in ordered)) if ordered else None
