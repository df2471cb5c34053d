# SPDX-License-Identifier: GPL-3.0-or-later
"""API errors: exceptions that know their metav1.Status, in the words of the real server."""

from __future__ import annotations

from .values import encode


class ApiError(Exception):
    """An answer other than success; `headers` go with the HTTP response."""

    def __init__(self, code: int, reason: str, message: str, details: dict | None = None, headers: dict | None = None):
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.headers = details or {}, headers or {}

    def status(self) -> dict:
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            status["details"] = self.details
        status["code"] = self.code
        return status


def _details(group: str, kind: str, name: str | None) -> dict:
    return {key: value for key, value in {"name": name, "group": group, "kind": kind}.items() if value}


def qualified(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{qualified(group, plural)} "{name}" not found', _details(group, plural, name))


def no_route() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(group: str, plural: str, name: str) -> ApiError:
    message = f'{qualified(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str | None = None) -> ApiError:
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(group, plural, name))


def apply_conflict(causes: list[tuple[str, str]]) -> ApiError:
    """causes: (manager as printed, field) sorted by manager; the text is that of structured-merge-diff."""
    by_manager: dict[str, list[str]] = {}
    for manager, field in causes:
        by_manager.setdefault(manager, []).append(field)
    lines = []
    for manager, fields in by_manager.items():
        if len(fields) == 1:
            lines.append(f"conflict with {manager}: {fields[0]}")
        else:
            lines.append(f"conflicts with {manager}:\n" + "\n".join(f"- {field}" for field in fields))
    plural = "s" if len(causes) > 1 else ""
    message = f"Apply failed with {len(causes)} conflict{plural}: " + "\n".join(lines)
    details = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": field}
        for manager, field in causes
    ]
    return ApiError(409, "Conflict", message, {"causes": details})


def forbidden(group: str, plural: str, name: str | None, why: str) -> ApiError:
    subject = f"{qualified(group, plural)} " + (f'"{name}" ' if name else "")
    return ApiError(403, "Forbidden", f"{subject}is forbidden: {why}", _details(group, plural, name))


def unauthorized(headers: dict | None = None) -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized", headers=headers)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def cause(kind: str, field: str, detail: str) -> dict:
    """One entry of an Invalid error; kind is FieldValueRequired, FieldValueInvalid, FieldValueForbidden, …"""
    return {"reason": kind, "message": detail, "field": field}


def _shown(value) -> str:
    return encode(value).decode()


class Causes(list):
    """The causes of an Invalid error, in order."""

    def required(self, field: str, detail: str = "") -> None:
        self.append(cause("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else "")))

    def invalid(self, field: str, value, detail: str) -> None:
        self.append(cause("FieldValueInvalid", field, f"Invalid value: {_shown(value)}: {detail}"))

    def duplicate(self, field: str, value) -> None:
        self.append(cause("FieldValueDuplicate", field, f"Duplicate value: {_shown(value)}"))

    def not_found(self, field: str, value) -> None:
        self.append(cause("FieldValueNotFound", field, f"Not found: {_shown(value)}"))

    def unsupported(self, field: str, value, known) -> None:
        names = ", ".join(map(_shown, known))
        text = f"Unsupported value: {_shown(value)}: supported values: {names}"
        self.append(cause("FieldValueNotSupported", field, text))

    def forbidden(self, field: str, detail: str) -> None:
        self.append(cause("FieldValueForbidden", field, f"Forbidden: {detail}"))

    def too_long(self, field: str, limit: int) -> None:
        self.append(cause("FieldValueTooLong", field, f"Too long: may not be more than {limit} bytes"))


def bad_field(group: str, kind: str, name: str, how: str, field: str, *details) -> ApiError:
    """The 422 for one field; `how` is the method of Causes that words it."""
    causes = Causes()
    getattr(causes, how)(field, *details)
    return invalid(group, kind, name, causes)


def bad_option(kind: str, how: str, option: str, *details) -> ApiError:
    """The same for an option of a request."""
    return bad_field("meta.k8s.io", kind, "", how, option, *details)


def invalid(group: str, kind: str, name: str, causes: list[dict]) -> ApiError:
    texts = [f"{entry['field']}: {entry['message']}" for entry in causes]
    text = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = {**_details(group, kind, name), "causes": causes}
    return ApiError(422, "Invalid", f'{qualified(group, kind)} "{name}" is invalid: {text}', details)


def expired(message: str = "The resourceVersion for the provided watch is too old.") -> ApiError:
    return ApiError(410, "Expired", message)


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media_type(accepted: list[str]) -> ApiError:
    names = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {names}"
    return ApiError(415, "UnsupportedMediaType", message)


def not_acceptable() -> ApiError:
    message = "only the following media types are accepted: application/json, application/yaml"
    return ApiError(406, "NotAcceptable", message)


def too_many_requests(seconds: int, message: str = "too many requests, please try again later") -> ApiError:
    headers = {"Retry-After": str(seconds)}
    return ApiError(429, "TooManyRequests", message, {"retryAfterSeconds": seconds}, headers)


def undeclared(config: dict, problem: str) -> ApiError:
    """A field of an apply that the schema lacks: not the client's fault, by the status that a real server gives it."""
    metadata = config["metadata"]
    what = f"{metadata.get('namespace', '')}/{metadata['name']}; {config['apiVersion']}, Kind={config['kind']}"
    field = problem.partition('"')[2].rstrip('"')
    return ApiError(500, "", f"failed to create typed patch object ({what}): .{field}: field not declared in schema")


def internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")
