# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain values: what every step takes and returns."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing


class Value:
    """Base of the frozen dataclasses that steps hand to each other.

    A value is made of str, int, float, bool, None, tuples, dicts and other values only, so that
    ``as_dict`` is always JSON and ``from_dict(as_dict())`` is the value again.
    """

    def as_dict(self) -> dict:
        """Return the value as plain dicts and lists, fit for JSON and for Ansible results."""
        return {name: plain(getattr(self, name)) for name in _names(type(self))}

    @classmethod
    def from_dict(cls, data: dict) -> Value:
        """Make the value from ``as_dict`` output.

        Keys that the value does not know are ignored (Ansible adds some of its own to results).
        Raises TypeError when a field without a default is missing.
        """
        hints = _hints(cls)
        known = _names(cls)
        return cls(**{name: _rebuild(hints[name], item) for name, item in data.items() if name in known})


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _hints(kind: type) -> dict:
    return typing.get_type_hints(kind)


def plain(item):
    """Return the item with every value and tuple inside it as plain dicts and lists."""
    if isinstance(item, Value):
        return item.as_dict()
    if isinstance(item, dict):
        return {key: plain(inner) for key, inner in item.items()}
    if isinstance(item, (list, tuple)):
        return [plain(inner) for inner in item]
    return item


def _rebuild(hint, item):
    if item is None:
        return None
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [arg for arg in typing.get_args(hint) if arg is not types.NoneType]
        return _rebuild(inner[0], item) if len(inner) == 1 else item
    if origin is tuple:
        return tuple(_rebuild(typing.get_args(hint)[0], inner) for inner in item)
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint.from_dict(item)
    return item
