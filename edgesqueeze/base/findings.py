"""What a stage wants to tell the user: named, never just logged."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.records import Record

Severity = Literal["note", "warning", "error"]


class Finding(Record):
    """One thing that was noticed, skipped or changed, and why.

    Attributes:
        code: stable name in kebab-case, for programs that read the report.
        subject: what the finding is about: a layer, a tensor, an input, an operator.
        message: one or two sentences for a person.
        severity: ``note`` (as intended, worth knowing), ``warning`` (look at it) or ``error``.
    """

    code: str
    subject: str
    message: str
    severity: Severity = "note"
