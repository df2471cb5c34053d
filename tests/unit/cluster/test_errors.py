# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer, or the lack of one, is told as: one sentence that says what to do."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import from_answer, from_exception
from urllib3 import exceptions as http

HOST = "https://api.example.com:6443"


def status(**fields) -> str:
    return json.dumps({"kind": "Status", "message": "the server's words", **fields})


@pytest.mark.parametrize(
    ("code", "body", "error", "words"),
    [
        (401, status(reason="Unauthorized"), "cluster_unauthorized", "log in again"),
        (403, status(reason="Forbidden"), "cluster_forbidden", "the server's words"),
        (404, status(reason="NotFound"), "cluster_not_found", "the server's words"),
        (409, status(reason="AlreadyExists"), "cluster_conflict", "the server's words"),
        (422, status(reason="Invalid"), "cluster_refused", "the server's words"),
        (429, status(reason="TooManyRequests"), "cluster_unavailable", "now (429)"),
        (503, b"<html>\n<body>upstream   connect error</body>", "cluster_unavailable", "upstream connect error"),
        (502, "", "cluster_unavailable", "no reason was given"),
        (500, "[1, 2]", "cluster_unavailable", "no reason was given"),
        (
            500,
            status(message=".spec.a: field not declared in schema"),
            "cluster_refused",
            ".spec.a: field not declared",
        ),
        (403, b"\xff\xfe", "cluster_forbidden", "does not allow"),
    ],
)
def test_an_answer_is_told(code, body, error, words):
    told = from_answer(HOST, "GET /x", code, body)
    assert told.code == error and words in told.message and "\n" not in told.message
    assert told.transient == (error == "cluster_unavailable")


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "7"}, "", 7.0),
        ({}, status(details={"retryAfterSeconds": 3}), 3.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "", None),
        ({"Retry-After": "-4"}, "", 0.0),
        (None, "", None),
    ],
)
def test_how_long_to_wait_is_read(headers, body, seconds):
    assert from_answer(HOST, "GET /x", 429, body, headers).retry_after == seconds


@pytest.mark.parametrize(
    ("error", "code", "words", "sent"),
    [
        (http.NewConnectionError(None, "[Errno 111] Connection refused"), "cluster_unreachable", "connection refused", False),
        (http.ConnectTimeoutError(), "cluster_unreachable", "cannot be reached", False),
        (http.ProxyError("Cannot connect to proxy", OSError("[Errno 111] Connection refused")), "cluster_unreachable", "proxy", False),
        (http.ReadTimeoutError(None, "u", "Read timed out."), "cluster_unreachable", "did not answer GET /x in time", True),
        (http.ProtocolError("Connection aborted."), "cluster_unreachable", "broke during GET /x", True),
        (ConnectionResetError(104, "Connection reset by peer"), "cluster_unreachable", "connection reset by peer", True),
        (http.LocationParseError("x"), "cluster_config", "is not the address of an API server", False),
        (http.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired"), "cluster_certificate", "has expired", False),
        (http.SSLError("CERTIFICATE_VERIFY_FAILED: unable to get local issuer"), "cluster_certificate", "ca_cert", False),
        (http.SSLError("CERTIFICATE_VERIFY_FAILED: Hostname mismatch, certificate is not valid for 'x'"), "cluster_certificate", "another name", False),
        (http.SSLError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "cluster_certificate", "does not speak TLS", False),
        (http.SSLError("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"), "cluster_certificate", "client certificate", False),
        (http.SSLError("[SSL: NO_CIPHERS_AVAILABLE] no ciphers"), "cluster_certificate", "no ciphers available", False),
    ],
)  # fmt: skip
def test_the_lack_of_an_answer_is_told(error, code, words, sent):
    told = from_exception(HOST, "GET /x", error)
    assert told.code == code and words in told.message and told.sent == sent
    assert told.message.endswith(".") and "\n" not in told.message
