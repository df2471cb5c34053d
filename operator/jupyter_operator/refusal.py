# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a notebook that cannot be had as it is written."""

from __future__ import annotations


class Refusal(Exception):
    """reason: one word in capitals and small letters, as conditions have it. message: one sentence, what is wrong and what to do."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason, self.message = reason, message


def invalid(field: str, value: object, advice: str) -> Refusal:
    """Return the refusal of a value. field: its path below ``spec.imDataManager``."""
    return Refusal("InvalidSpec", f"{field} is {value!r}: {advice}.")
