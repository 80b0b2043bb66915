"""The final table of ``compress`` and ``demo``: what a person wants to know, with its provenance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgesqueeze.cli.tables import console, print_findings, table

if TYPE_CHECKING:
    from pathlib import Path

    from edgesqueeze.fit import ResourceFit
    from edgesqueeze.report import Report

# More findings of one kind than this are counted instead of listed.
LISTED = 6


def print_report(report: Report, out: Path | None) -> None:
    """Print the verdict, the weights and the findings of a report."""
    screen = console()
    rows = table("", "before", "after", "", right=("before", "after"), fold=("",))
    for row in _rows(report):
        rows.add_row(*row)
    screen.print(rows)
    screen.print(_weights(report))
    print_findings(screen, _shown(report))
    screen.print(_verdict(report))
    if out is not None:
        screen.print(f"written to {out}: {', '.join(report.files)}", soft_wrap=True)


def _rows(report: Report) -> Iterator[tuple[str, str, str, str]]:
    sizes = report.sizes
    ratio = sizes.float_bytes / sizes.tflite_bytes
    yield (
        "weights / .tflite",
        _bytes(sizes.float_bytes),
        _bytes(sizes.tflite_bytes),
        f"{ratio:.1f} times smaller",
    )
    ratio = sizes.float_bytes / sizes.tflite_deflate_bytes
    yield "deflated", "", _bytes(sizes.tflite_deflate_bytes), f"{ratio:.1f} times smaller, as a download"
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
    missing = ", ".join(one.kind for one in report.fit.ops.missing)
    total = len(report.fit.ops.needed)
    needed = f"{total - len(report.fit.ops.missing)} of {total}"
    yield (
        f"operators in {report.fit.ops.runtime}",
        "",
        needed,
        f"missing: {missing}" if missing else "all there",
    )


def _accuracy(report: Report) -> tuple[str, str, str, str]:
    found = report.accuracy
    assert found is not None
    if found.metric == "accuracy":
        change = f"{-100 * found.drop:+.2f} points on {found.samples} test samples"
        return "accuracy", f"{found.float_model:.2%}", f"{found.compressed:.2%}", change
    change = f"{found.drop:+.4g} on {found.samples} test samples"
    return "mean absolute error", f"{found.float_model:.4g}", f"{found.compressed:.4g}", change


def _resource(part: ResourceFit) -> tuple[str, str]:
    if part.needed_bytes is None or part.available_bytes is None:
        return "", f"not checked: {part.method}"
    share = f"{part.share_percent:.0f} % of {_bytes(part.available_bytes)}" if part.share_percent else ""
    return _bytes(part.needed_bytes), f"{part.verdict.replace('-', ' ')}: {share}"


def _weights(report: Report) -> object:
    rows = table(
        "weights",
        "shape",
        "type",
        "bytes",
        "zero",
        "values",
        right=("bytes", "zero", "values"),
        fold=("weights",),
    )
    for one in report.weights:
        if one.role != "weights":
            continue
        name = one.name.split(";")[0]
        shape = "x".join(map(str, one.shape))
        rows.add_row(
            name, shape, one.dtype, f"{one.bytes:,}", f"{one.sparsity:.1%}", str(one.distinct_values)
        )
    return rows


def _shown(report: Report) -> Iterator[object]:
    from edgesqueeze.findings import Finding

    seen: dict[str, list[Finding]] = {}
    for one in report.findings:
        seen.setdefault(one.code, []).append(one)
    for code, found in seen.items():
        yield from found[:LISTED]
        if len(found) > LISTED:
            message = f"{len(found) - LISTED} more {code}; report.json has them all"
            yield Finding(code=code, subject="", message=message, severity=found[0].severity)


def _verdict(report: Report) -> str:
    return "[green]ok[/]" if report.ok else "[red]not ok[/]"


def _bytes(count: int) -> str:
    if count < 10_000:
        return f"{count:,} B"
    return f"{count / 1024:,.1f} KiB" if count < 10 << 20 else f"{count / (1 << 20):,.1f} MiB"
