"""Two documents of one kind beside each other: what became better or worse beyond what may vary."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from edgesqueeze.base.records import Record
from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import UsageError
from edgesqueeze.report.quantities import Contents, Kind, Quantity, of_device, read_contents

Verdict = Literal["better", "same", "worse", "new", "gone"]
KINDS: tuple[str, ...] = get_args(Kind)
CONFIDENCE_FACTOR = 1.96
"""Standard deviations of a difference that one in twenty exceeds by chance."""
REAL_SHARE = 0.02
"""What an accuracy that is no share of samples, such as a relative error, may vary by; of the old figure."""
MEASURED_SHARE = 0.05
"""What a measured figure may vary by, of the old one."""
TOLERANCE = re.compile(r"(?P<number>\d+(?:\.\d*)?(?:e-?\d+)?)\s*(?P<unit>%|points?|)", re.IGNORECASE)


class Change(Record):
    """One figure in both documents.

    Attributes:
        title: what the figure is.
        kind: what a tolerance for it is named by.
        unit: unit of both figures: ``share``, ``ms``, ``bytes``, ``instructions``, or empty for a plain
            number.
        old: figure of the old document; null where it is new.
        new: figure of the new document; null where it is gone.
        tolerance: amount that the figure may become worse by, in its unit.
        basis: where the tolerance comes from.
        verdict: ``better`` or ``worse`` by more than the tolerance, ``same``, ``new`` or ``gone``.
    """

    title: str
    kind: Kind
    unit: str
    old: float | None
    new: float | None
    tolerance: float
    basis: str
    verdict: Verdict


class Comparison(Record):
    """Two documents beside each other.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        kind: kind of both documents: ``report``, ``search``, ``emulated``, ``predicted``, ``measured`` or
            ``compared``.
        old: path of the old document.
        new: path of the new document.
        ok: whether nothing became worse, and nothing that was there is gone.
        changes: every figure, in the order of the documents.
        problems: requirements that the new document says are missed, and that the old one met.
        notes: what the documents are about where that differs, and requirements that the old one misses.
    """

    schema_version: Literal[1] = 1
    kind: str
    old: str
    new: str
    ok: bool
    changes: tuple[Change, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Tolerance(Record):
    """What a kind of figure may become worse by, as the user said it.

    Attributes:
        amount: the number.
        relative: whether it is a share of the old figure.
    """

    amount: float
    relative: bool


def parse_tolerance(text: str) -> tuple[Kind, Tolerance]:
    """Read ``latency=2%``, ``size=100`` or ``accuracy=0.5points``.

    Raises:
        UsageError: it is none of that.
    """
    kind, _, amount = (part.strip() for part in text.partition("="))
    if kind not in KINDS:
        raise UsageError(
            f"there is no kind of figure {kind!r}{nearest(kind, KINDS)}",
            expected=f"KIND=AMOUNT, with one of {', '.join(KINDS)}",
            got=text,
        )
    found = TOLERANCE.fullmatch(amount)
    unit = found["unit"].lower() if found else ""
    number = float(found["number"]) if found else math.inf
    points, percent = unit.startswith("point"), unit == "%"
    if math.isinf(number) or (points and kind != "accuracy") or (percent and kind == "accuracy"):
        raise UsageError(
            f"that is no tolerance for {kind}: {amount!r}",
            expected="a number of points as in 0.5points, or in the metric's unit"
            if kind == "accuracy"
            else "a percentage as in 2%, or a number in the figure's unit",
            got=text,
        )
    made = Tolerance(amount=number / 100 if points or percent else number, relative=percent)
    return kind, made  # type: ignore[return-value]


def compare(old: Path, new: Path, tolerances: Mapping[str, Tolerance] | None = None) -> Comparison:
    """Compare two documents of one kind.

    Args:
        old: a ``report.json`` or ``front.json`` or the folder that has it, or what ``bench --json`` printed.
        new: the same, made later.
        tolerances: what figures may become worse by, by kind; by default nothing for what is exact, what
            chance explains for a share of samples, and a little for what is measured.

    Raises:
        UsageError: a file cannot be read, or the documents are not of one kind.
    """
    before, after = read_contents(old), read_contents(new)
    if before.kind != after.kind:
        raise UsageError(
            "the documents are not of one kind",
            expected=f"two {before.kind} ones: {old} is one",
            got=f"{new} is {after.kind}",
            hint="give two report.json, two front.json, or what bench --json printed in the same way",
        )
    if bool(before.device) != bool(after.device):
        # One board in one of them, several in the other.
        before, after = (of_device(one) if one.device else one for one in (before, after))
    changes = tuple(_changes(before, after, tolerances or {}))
    problems = tuple(one for one in after.problems if not before.problems)
    return Comparison(
        kind=before.kind,
        old=str(old),
        new=str(new),
        ok=not problems and not any(one.verdict in ("worse", "gone") for one in changes),
        changes=changes,
        problems=problems,
        notes=tuple(_notes(before, after)),
    )


def _changes(before: Contents, after: Contents, given: Mapping[str, Tolerance]) -> Iterator[Change]:
    for title in dict.fromkeys((*before.quantities, *after.quantities)):
        old, new = before.quantities.get(title), after.quantities.get(title)
        one = old or new
        assert one is not None
        tolerance, basis = _tolerance(old, new, given.get(one.kind))
        yield Change(
            title=title,
            kind=one.kind,
            unit=one.unit,
            old=None if old is None else old.value,
            new=None if new is None else new.value,
            tolerance=tolerance,
            basis=basis,
            verdict=_verdict(old, new, tolerance),
        )


def _tolerance(old: Quantity | None, new: Quantity | None, given: Tolerance | None) -> tuple[float, str]:
    """How much worse a figure may be, and why."""
    if old is None or new is None:
        return 0.0, "only one document has it"
    if given is not None:
        return given.amount * (abs(old.value) if given.relative else 1), "as asked for"
    if old.samples > 0 and new.samples > 0:
        chance = CONFIDENCE_FACTOR * math.sqrt(_variance(old) + _variance(new))
        return chance, f"95 % of chance with {min(old.samples, new.samples)} samples"
    if not (old.exact and new.exact):
        return MEASURED_SHARE * abs(old.value), f"{MEASURED_SHARE:.0%} for what is measured"
    if old.whole is not None:
        return REAL_SHARE * old.whole, f"{REAL_SHARE:.0%} of what it is a drop of"
    if old.kind == "accuracy":
        return REAL_SHARE * abs(old.value), f"{REAL_SHARE:.0%} of the old figure"
    return 0.0, "nothing"


def _variance(share: Quantity) -> float:
    """Of a share of independent samples; with one success and one failure more, so that 1.0 has some too."""
    count = share.samples + 2
    rate = (min(max(share.value, 0.0), 1.0) * share.samples + 1) / count
    return rate * (1 - rate) / count


def _verdict(old: Quantity | None, new: Quantity | None, tolerance: float) -> Verdict:
    if old is None:
        return "new"
    if new is None:
        return "gone"
    gain = (new.value - old.value) * (1 if old.higher_is_better else -1)
    # Not by rounding: 2 % of 50 is 1.
    if math.isnan(gain):
        return "worse"
    if abs(gain) <= tolerance * (1 + 1e-9):
        return "same"
    return "better" if gain > 0 else "worse"


def _notes(before: Contents, after: Contents) -> Iterator[str]:
    for name, old in before.subject.items():
        new = after.subject.get(name, old)
        if old != new:
            yield f"not the same {name}: {old or 'none'}, then {new or 'none'}"
    # What was missed before is no news, but is no secret either.
    for one in before.problems:
        yield f"the old document misses a requirement: {one}"
    for one in after.problems if before.problems else ():
        yield f"so does the new one: {one}"


def summary(comparison: Comparison) -> str:
    """One sentence."""
    counted = {
        verdict: sum(one.verdict == verdict for one in comparison.changes)
        for verdict in ("worse", "gone", "better", "same", "new")
    }
    said = ", ".join(f"{count} {verdict}" for verdict, count in counted.items() if count)
    missed = f"; missed requirements: {len(comparison.problems)}" if comparison.problems else ""
    return f"{said or 'no figures to compare'}{missed}"


def rows_of(comparison: Comparison) -> Sequence[tuple[str, str, str, str, str, str]]:
    """Every figure in words: title, old, new, change, what it may vary by, verdict."""
    return [
        (
            one.title,
            _shown(one.old, one.unit),
            _shown(one.new, one.unit),
            _change(one),
            f"{_amount(one.tolerance, one.unit)}, {one.basis}" if one.tolerance else one.basis,
            one.verdict,
        )
        for one in comparison.changes
    ]


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "share":
        return f"{value:.2%}"
    if unit in ("bytes", "instructions"):
        return f"{value:,.0f}"
    return f"{value:.4g}{f' {unit}' if unit else ''}"


def _amount(value: float, unit: str) -> str:
    return f"{100 * value:.2f} points" if unit == "share" else _shown(value, unit)


def _change(one: Change) -> str:
    if one.old is None or one.new is None:
        return ""
    if one.unit == "share":
        return f"{100 * (one.new - one.old) + 0:+.2f} points"
    return f"{one.new / one.old - 1 + 0:+.1%}" if one.old else f"{one.new - one.old:+.4g}"
