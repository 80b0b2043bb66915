"""What a stage wants to tell the user: named, never just logged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from edgesqueeze.base.records import Record

Severity = Literal["note", "warning", "error"]


class Finding(Record):
    """One thing that was noticed, skipped or changed, and why.

    Attributes:
        code: stable name in kebab-case, for programs that read the report.
        subject: what the finding is about: a layer, a tensor, an input, an operator.
        message: one or two sentences for a person.
        severity: ``note`` (as intended, worth knowing), ``warning`` (look at it) or ``error`` (the result is
            not ok).
    """

    code: str
    subject: str
    message: str
    severity: Severity = "note"


def errors_in(findings: Iterable[Finding]) -> tuple[str, ...]:
    """What is wrong according to the findings, one sentence for each error."""
    return tuple(
        # The converter joins the names of everything that it fused; the first one is enough for a person.
        f"{one.subject.split(';')[0]}: {one.message} ({one.code})"
        for one in findings
        if one.severity == "error"
    )
