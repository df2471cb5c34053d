# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets and escape sequences go, everything else stays."""

from __future__ import annotations

import re
import sys

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean, mask, shorten
from hypothesis import given, settings
from hypothesis import strategies as st

settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")

SECRET = "S3cretValue42" + "x" * 30
FORMS = [
    "https://user:{}@host/repo.git",
    "https://{}@host/repo.git",
    "postgresql://admin:{}@db:5432/x",
    "GET /a?b=1&access_token={}&c=2",
    "https://bucket/key?X-Amz-Signature={}",
    "Authorization: Bearer {}",
    "Authorization: Basic {}",
    '{{"authorization": "Bearer {}"}}',
    "curl -H 'X-Api-Key: {}'",
    "Cookie: session={}; other=1",
    "Set-Cookie: session={}",
    "X-Auth-Token: {}",
    "Bearer {}",
    "password={}",
    "export DB_PASSWORD={}",
    'password = "{}"',
    '"api_key": "{}"',
    "client_secret: {}",
    "passphrase={}",
    "passwd: {}",
    "PWD={}",
    "credentials={}",
    "b=1&sig={}",
    "connect(user='me', password='{}')",
    "run --token {} --verbose",
    "run --api-key={}",
    "aws_secret_access_key = '{}'",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n{}",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{}",
    "pass\x1b[1mword=\x1b[0m{}",
]
TOKENS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "gho_" + "a1B2" * 9,
    "ghu_" + "a1B2" * 9,
    "ghs_" + "a1B2" * 9,
    "ghr_" + "a1B2" * 9,
    "pypi-" + "a1B2" * 13,
    "sk_live_" + "a1B2" * 5,
    "rk_test_" + "a1B2" * 5,
    "github_pat_" + "a1B2" * 10,
    "glpat-" + "a1B2" * 5,
    "hf_" + "a1B2" * 9,
    "xoxb-123456789012-abcdefABCDEF",
    "sk-proj-" + "a1B2" * 8,
    "npm_" + "a1B2" * 9,
    "sha256~" + "a1B2" * 10 + "abc",
    "AIza" + "a1B2" * 8 + "abc",
]
# A letter that patterns take for an s: with it, every rule is tried; on a line of its own, none begins at it.
ALL_RULES = "\u017f\n"


@pytest.mark.parametrize("form", FORMS)
def test_secrets_are_masked_and_the_rest_stays(form):
    shown = clean("before " + form.format(SECRET) + " after")
    assert SECRET not in shown and "***" in shown and shown.startswith("before ")


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_known_by_their_beginning(token):
    assert clean(f"x {token} y") == "x *** y"


@pytest.mark.parametrize(
    "text",
    [
        "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "iVBORw0KGgoAAAANSUhEUgAAAiwAAAGdCAYAAAAxCSikAAAAOnRFWHRTb2Z0d2FyZQBNYXRwbG90bGli" * 4,
        "/usr/lib/python3/site-packages/a_very/long_path/with_many_parts/and_more/module_name_v2.py",
        "ssh://git@host/repo.git and git@host:repo.git",
        "https://host/path?page=2&key_id=7",
        "mkdir -p some/long/directory",
        "max_tokens=4096, n_tokens: 512, tokens = ['a', 'b']",
        "pad_token='[PAD]', eos_token='</s>'",
        "KeyError: 'token'",
        "SyntaxError: unexpected token: something",
        "def login(user, password: str, token=None): ...",
        "password=getpass()",
        "token=os.environ['TOKEN']",
        "secret=args.secret",
        "Authorization header missing",
        "task-management-software-architecture",
        "two\nlines\tand a tab",
        "Grüße, 世界 🎉",
    ],
)
def test_what_is_no_secret_stays(text):
    assert clean(text) == text


def test_known_values_are_masked_wherever_they_stand():
    assert clean("a p/w d+e! b p%2Fw%20d%2Be%21 p/w d+e!?", ("p/w d+e!",)) == "a *** b *** ***?"
    assert clean("abc ab", ("ab",)) == "abc ab", "a very short value would mask ordinary words"
    assert clean("longer long", ("long", "longer")) == "*** ***"


def test_terminal_sequences_and_control_characters_go():
    assert clean("\x1b[0;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 \x9b1mbold") == "red link bold"
    assert clean("0%\r50%\r100%\nnext\r\nline\x00\x08\u202e\ud800") == "100%\nnext\nline\ufffd"


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text):
    once = clean(text)
    assert clean(once) == once
    assert "\x1b" not in once and all(ord(char) >= 32 or char in "\n\t" for char in once)


@given(
    st.sampled_from(["password=", "token: ", "https://", "Bearer ", "--secret ", "'api_key': '"]), st.text(max_size=40)
)
def test_cleaning_is_stable_around_secrets(prefix, text):
    once = clean(prefix + text)
    assert clean(once) == once


WORDS = (
    "password passwd Passphrase PWD secret TOKEN api_key access-key private_key credentials credential key= = : :// @ ? & -- "
    "' \" \\n \\t Authorization: Proxy-Authorization Bearer Basic X-Api-Key: Set-Cookie: cookie https http ftp postgresql "
    "sig X-Amz-Signature AWSAccessKeyId AKIA ghp_ gho_ ghs_ hf_ npm_ pypi- sha256~ xoxb- sk- rk_live_ sk_test_ AIza eyJ . "
    "-----BEGIN PRIVATE KEY----- -----END None os. abcd1234 user host \u00e9 \u2501 ***"
)
PIECES = [
    *WORDS.replace("\\n", "\n").replace("\\t", "\t").split(" "),
    " ",
    "",
    "\x1b[1m",
    "a1B2" * 9,
    "A1B2" * 4,
    "x" * 40,
]


@given(st.lists(st.one_of(st.sampled_from([*PIECES, *TOKENS]), st.text(max_size=4)), max_size=12))
def test_a_rule_that_is_left_out_would_change_nothing(pieces):
    for text in ("".join(pieces), " ".join(pieces)):
        assert ALL_RULES + clean(text) == clean(ALL_RULES + text)
        assert ALL_RULES + mask(text) == mask(ALL_RULES + text)


@pytest.mark.parametrize("change", [str, str.upper, str.lower])
@pytest.mark.parametrize("form", [*FORMS, *TOKENS])
def test_no_rule_is_left_out_that_a_secret_needs(form, change):
    text = change(form.format(SECRET) if form in FORMS else form)
    assert ALL_RULES + clean(text) == clean(ALL_RULES + text)
    assert ALL_RULES + mask(text) == mask(ALL_RULES + text)


@pytest.mark.parametrize(
    "text",
    ["PA\u017f\u017fWORD=abcd1234", "to\u212aen=abcd1234", "credent\u0131al=abcd1234", "CREDENT\u0130AL=abcd1234"],
)
def test_letters_that_a_pattern_takes_for_others_hide_nothing(text):
    assert clean(text).endswith("=***")


def test_no_further_letter_is_taken_for_one_of_ascii():
    beyond = "".join(map(chr, range(128, sys.maxunicode + 1)))
    assert set(re.findall("[a-z]", beyond, re.IGNORECASE)) == set("\u0130\u0131\u017f\u212a")


@given(st.text(max_size=300), st.integers(min_value=10, max_value=100))
def test_shortening_keeps_both_ends(text, limit):
    short = shorten(text, limit)
    assert len(short) <= limit + 50
    assert (
        short == text if len(text) <= limit else short[: limit // 2] == text[: limit // 2] and short[-3:] == text[-3:]
    )
