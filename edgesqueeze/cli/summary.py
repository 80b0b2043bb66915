"""The final table of ``compress`` and ``demo``: what a person wants to know, with its provenance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from edgesqueeze.cli.screen import escape, open_screen
from edgesqueeze.cli.tables import Table, print_findings
from edgesqueeze.recipe import PASSES

if TYPE_CHECKING:
    from pathlib import Path

    from edgesqueeze.base.findings import Finding, Severity
    from edgesqueeze.report.report import Report
    from edgesqueeze.target.fit import OperatorFit, ResourceFit

# More findings of one kind than this are counted instead of listed.
LISTED = 6
# What a pass that skips a layer calls it -> what did not happen to the layer.
SKIPPED = {f"{row.name}-skipped": row.done for row in PASSES if row.done}


def print_report(report: Report, out: Path | None) -> None:
    """Print the verdict, the weights and the findings of a report."""
    screen = open_screen()
    rows = Table("", "before", "after", "", right=("before", "after"), fold=("",))
    for row in _rows(report):
        rows.add_row(*row)
    screen.print(rows)
    screen.print(_weights(report))
    print_findings(screen, shown_findings(report.findings))
    screen.print(_verdict(report))
    if out is not None:
        screen.print(f"written to {out}: {', '.join(report.files)}")


def _rows(report: Report) -> Iterator[tuple[str, str, str, str]]:
    sizes = report.sizes
    ratio = sizes.float_bytes / sizes.tflite_bytes
    yield (
        "size",
        _bytes(sizes.float_bytes),
        _bytes(sizes.tflite_bytes),
        f"float32 -> .tflite, {_times(ratio)}",
    )
    ratio = sizes.float_bytes / sizes.tflite_deflate_bytes
    yield "deflated", "", _bytes(sizes.tflite_deflate_bytes), f"as a download, {_times(ratio)}"
    if report.accuracy is not None:
        yield _accuracy(report)
    first = report.fidelity.outputs[0]
    if first.top1_agreement is not None:
        said = f"on {report.fidelity.samples} test samples"
        yield "same class", "", f"{first.top1_agreement:.2%}", said
    elif first.normalized_error is not None:
        said = f"of the output's spread, on {report.fidelity.samples} test samples"
        yield "error", "", f"{first.normalized_error:.2%}", said
    for name, part in (("flash", report.fit.flash), ("RAM", report.fit.ram)):
        yield f"{name} on {report.target}", "", *_resource(part)
    yield _operators(report.fit.ops)


def _operators(found: OperatorFit) -> tuple[str, str, str, str]:
    missing = sorted({one.kind for one in found.missing})
    needed = f"{len(found.needed) - len(missing)} of {len(found.needed)}"
    said = [f"missing: {', '.join(missing)}"] if missing else [f"refused: {one}" for one in found.problems]
    if found.verdict == "not-checked":
        needed, said = "", ["not checked"]
    return f"operators in {found.runtime}", "", needed, "; ".join(said) or "all there"


def _accuracy(report: Report) -> tuple[str, str, str, str]:
    found = report.accuracy
    assert found is not None
    if found.metric == "accuracy":
        change = f"{-100 * found.drop + 0:+.2f} points on {found.samples} test samples"
        return "accuracy", f"{found.float_model:.2%}", f"{found.compressed:.2%}", change
    change = f"{found.drop:+.4g} on {found.samples} test samples"
    return "mean absolute error", f"{found.float_model:.4g}", f"{found.compressed:.4g}", change


def _resource(part: ResourceFit) -> tuple[str, str]:
    if part.needed_bytes is None or part.available_bytes is None:
        return "", f"not checked: {part.method}"
    share = f"{part.share_percent:.0f} % of {_bytes(part.available_bytes)}" if part.share_percent else ""
    return _bytes(part.needed_bytes), f"{part.verdict.replace('-', ' ')}: {share}"


def _weights(report: Report) -> Table:
    rows = Table(
        "weights",
        "shape",
        "type",
        "bytes",
        "zero",
        "values",
        right=("bytes", "zero", "values"),
        fold=("weights",),
    )
    shown = [one for one in report.weights if one.role == "weights"]
    for one, name in zip(shown, short_names([one.name for one in shown]), strict=True):
        shape = "x".join(map(str, one.shape))
        rows.add_row(
            escape(name), shape, one.dtype, f"{one.bytes:,}", f"{one.sparsity:.1%}", str(one.distinct_values)
        )
    return rows


def short_names(names: Sequence[str]) -> list[str]:
    """Tensor names as the layers' names, where that keeps them apart.

    A converted tensor is called ``model/block/layer/Conv2D;model/block/norm/...``: of the first path, the
    part that all tensors share and the operator at its end say nothing.
    """
    whole = [name.split(";")[0] for name in names]
    paths = [name.split("/") for name in whole]
    shared = 0
    while paths and all(len(path) > shared + 2 and path[shared] == paths[0][shared] for path in paths):
        shared += 1
    made = ["/".join(path[shared:-1] or path[-1:]) for path in paths]
    return made if len(set(made)) == len(made) else whole


def shown_findings(findings: Iterable[Finding], where: str = "report.json") -> Iterator[Finding]:
    """The findings as a person wants them.

    Those that say the same about the same thing, or the same about several, become one line; of the rest,
    at most so many of a kind are listed; ``where`` says where the others are.
    """
    from edgesqueeze.base.findings import Finding

    merged: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        merged.setdefault((one.message, one.severity), []).append(one)
    kinds: dict[str, list[Finding]] = {}
    for (message, severity), found in merged.items():
        codes = list(dict.fromkeys(one.code for one in found))
        subjects = list(dict.fromkeys(one.subject for one in found))
        rest = f" and {len(subjects) - LISTED} more" if len(subjects) > LISTED else ""
        subject = ", ".join(subjects[:LISTED]) + rest
        told = [SKIPPED[code] for code in codes if code in SKIPPED]
        text = (
            f"{'neither ' if len(told) > 1 else 'not '}{' nor '.join(told)}: {message}" if told else message
        )
        kinds.setdefault(codes[0], []).append(
            Finding(code=codes[0], subject=subject, message=text, severity=cast("Severity", severity))
        )
    for code, listed in kinds.items():
        yield from listed[:LISTED]
        if len(listed) > LISTED:
            message = f"{len(listed) - LISTED} more {code}; {where} has them all"
            yield Finding(code=code, subject="", message=message, severity=listed[0].severity)


def _verdict(report: Report) -> str:
    if not report.ok:
        from edgesqueeze.report.report import problems_of

        return f"[red]not ok[/]: {escape('; '.join(problems_of(report)))}"
    limited = report.recipe.limits.max_accuracy_drop is not None
    limits = ", and the accuracy drop is within the recipe's limit" if limited else ""
    if report.fit.ram.verdict == "not-checked":
        return f"[green]ok[/]: {report.target} has all operators; its memory was not checked{limits}"
    return f"[green]ok[/]: it fits {report.target}{limits}"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times smaller" if ratio >= 1 else f"{1 / ratio:.1f} times larger"


def _bytes(count: int) -> str:
    if count < 10_000:
        return f"{count:,} B"
    return f"{count / 1024:,.1f} KiB" if count < 10 << 20 else f"{count / (1 << 20):,.1f} MiB"
