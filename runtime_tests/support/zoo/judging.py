"""What a row of the table must have reached, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from edgesqueeze.checks.metrics import Figure, worst
from edgesqueeze.report.figures import change_of, title_of, value_of
from runtime_tests.support.zoo.running import Run, Said

GOOD_SHARE, GOOD_CORRELATION = 0.85, 0.9
"""What a model must have learned, so that there is something to lose."""
CRASHES = ("Traceback (most recent call last)", "a fault inside EdgeSqueeze", "Segmentation fault")
AGREED = 1e-2
"""By how much ``verify``, on its reference, may report another figure than ``compress`` on XNNPACK."""

COLUMNS = ("model", "compress", "metric", "before", "after", "change", "verify", "C", "as it must be")


def faults_of(run: Run) -> list[str]:
    """Everything that is not as it must be; empty if all is."""
    return list(_faults(run))


def _faults(run: Run) -> Iterator[str]:
    case, compress = run.case, run.compress
    if run.made.status or compress is None:
        yield f"it could not be made: {_last(run.made)}"
        return
    for said in (compress, run.verify, run.emit):
        if said is not None:
            yield from _crashes(said)
    if run.plain:
        yield f"refused, and the plain converter takes it: {_last(compress)}"
    if case.expected == "good":
        yield from _not_good(run, compress)
        return
    wanted = (1,) if case.expected == "not-ok" else (1, 2)
    if compress.status not in wanted:
        yield f"compress must end with {wanted[0]}, and ended with {compress.status}"
    if (run.report is None) != (case.expected == "refused"):
        yield f"compress must {'not ' if case.expected == 'refused' else ''}make a model"
    if case.says not in compress.out + compress.err:
        yield f"compress does not say {case.says!r}"


def _crashes(said: Said) -> Iterator[str]:
    verb = said.command.split()[1]
    if said.status not in (0, 1, 2):
        yield f"{verb} ended with {said.status}"
    for words in CRASHES:
        if words in said.out + said.err:
            yield f"{verb} printed {words!r}"
    explained = any(words in said.out + said.err for words in ("what to do", "not ok: ", "parity is broken"))
    if said.status and not explained and verb != "verify":
        yield f"{verb} ended with {said.status}, and does not say what to do"


def _not_good(run: Run, compress: Said) -> Iterator[str]:
    if run.report is None:
        yield f"not converted: {_last(compress)}"
        return
    if compress.status:
        yield f"compress ended with {compress.status}: {_last(compress)}"
    figures = figures_of(run.report["fidelity"])
    for one in figures:
        if one.decides and one.drop is not None and one.drop > run.case.limit:
            yield f"{title_of(one, True)} is {one.drop:.4f} worse, at most {run.case.limit:g}"
        yield from _not_learned(one)
    if not any(one.decides for one in figures):
        yield "no metric decides"
    assert run.verify is not None
    if run.verify.status:
        yield f"verify ended with {run.verify.status}: {_last(run.verify)}"
    if run.verified is None:
        yield "verify printed no document"
    else:
        # Without the original there is nothing to say about it.
        compared = "--against" in run.verify.command
        said = [one for one in figures if compared or one.truth == "labels"]
        yield from _contradictions(said, figures_of(run.verified["fidelity"]))


def _not_learned(one: Figure) -> Iterator[str]:
    """An original that has learned nothing has nothing to lose."""
    if one.truth != "labels" or one.original is None or not one.higher_is_better or one.part is not None:
        return
    least = GOOD_SHARE if one.unit == "share" else GOOD_CORRELATION
    if one.original < least:
        yield f"the original's {one.title} is {one.original:.3f}: it has not learned enough to tell anything"


def _contradictions(compressed: Sequence[Figure], verified: Sequence[Figure]) -> Iterator[str]:
    """Figures of one thing that two commands report differently."""
    told = {(one.metric, one.output, one.part, one.truth): one for one in verified}
    for one in compressed:
        other = told.get((one.metric, one.output, one.part, one.truth))
        if other is None:
            yield f"verify does not report {one.title}, compress does"
        elif abs(other.compressed - one.compressed) > AGREED:
            yield f"{one.title}: compress says {one.compressed:.6f}, verify {other.compressed:.6f}"


def figures_of(fidelity: dict[str, Any]) -> list[Figure]:
    """The figures of a document."""
    return [Figure.model_validate(one) for one in fidelity["figures"]]


def cells_of(run: Run, faults: Sequence[str]) -> list[tuple[str, ...]]:
    """The row as the table shows it: a line for each output."""
    verdict = "no" if faults else "yes"
    result = _result(run)
    if run.report is None:
        return [(run.case.name, result, "", "", "", "", "", "", verdict)]
    lines: list[tuple[str, ...]] = []
    figures = figures_of(run.report["fidelity"])
    several = len(run.report["fidelity"]["outputs"]) > 1
    for number in range(len(run.report["fidelity"]["outputs"])):
        one = worst([one for one in figures if one.output == number])
        if one is None:
            continue
        before = "" if one.original is None or one.truth == "original" else value_of(one, one.original)
        change = "" if one.truth == "original" else change_of(one)
        figure = (title_of(one, several), before, value_of(one, one.compressed), change)
        first = not lines
        head = (run.case.name, result) if first else ("", "")
        tail = (_parity(run), _native(run), verdict) if first else ("", "", "")
        lines.append((*head, *figure, *tail))
    return lines


def _result(run: Run) -> str:
    if run.compress is None:
        return "not made"
    if run.report is None:
        return "refused" if run.compress.status == 2 else f"failed ({run.compress.status})"
    return "ok" if run.compress.status == 0 else "not ok"


def _parity(run: Run) -> str:
    if run.verified is None:
        return "failed" if run.verify else ""
    rows = run.verified["parity"]["runtimes"]
    # Kernels that are wrong themselves say nothing about the model.
    states = {row["status"] for row in rows if not (row["status"] == "broken" and row.get("ok"))}
    return next((word for word in ("broken", "rounding", "identical") if word in states), "reference")


def _native(run: Run) -> str:
    if run.emit is None:
        return ""
    return {0: "yes", 1: "not taken"}.get(run.emit.status, f"failed ({run.emit.status})")


def _last(said: Said) -> str:
    """The line that says why."""
    lines = [line for line in (said.out + said.err).splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("error:", "not ok:"))]
    return (told or lines or ["nothing was printed"])[-1].strip()
