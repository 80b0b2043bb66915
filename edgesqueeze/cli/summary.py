"""The final table of ``compress`` and ``demo``: what a person wants to know, with its provenance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from edgesqueeze.cli.screen import escape, open_screen
from edgesqueeze.cli.tables import Table, print_findings
from edgesqueeze.recipe.passes import PASSES

if TYPE_CHECKING:
    from pathlib import Path

    from edgesqueeze.base.findings import Finding, Severity
    from edgesqueeze.checks.records import ChannelsReport
    from edgesqueeze.report.report import Report
    from edgesqueeze.target.fit import Fit, OperatorFit, ResourceFit

# More findings of one kind than this are counted instead of listed.
LISTED = 6
# How TensorFlow's names of the operators begin that have weights.
WEIGHTED = ("Conv", "conv", "depthwise", "separable", "MatMul", "Tensordot", "BiasAdd")
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
    if report.channels is not None:
        yield _macs(report.channels)
        for one in report.channels.budgets:
            yield one.name, "", f"{one.taken:.4g}", f"at most {one.allowed:g} on {report.target}"
    yield from _figures(report)
    for name, part in (("flash", report.fit.flash), ("RAM", report.fit.ram)):
        yield f"{name} on {report.target}", "", *_resource(part)
    yield _operators(report.fit.ops)


def _macs(found: ChannelsReport) -> tuple[str, str, str, str]:
    cut = [one for one in found.layers if one.after < one.before]
    channels = f"{sum(one.before for one in cut):,} -> {sum(one.after for one in cut):,} channels"
    said = f"{found.share:.1%} fewer, {found.share_asked:.1%} asked for; {channels} in {len(cut)} layers"
    return "MACs", f"{found.macs_before:,}", f"{found.macs_after:,}", said


def _operators(found: OperatorFit) -> tuple[str, str, str, str]:
    missing = sorted({one.kind for one in found.missing})
    needed = f"{len(found.needed) - len(missing)} of {len(found.needed)}"
    said = [f"missing: {', '.join(missing)}"] if missing else [f"refused: {one}" for one in found.problems]
    if found.verdict == "not-checked":
        needed, said = "", ["not checked"]
    return f"operators in {found.runtime}", "", needed, "; ".join(said) or "all there"


def _figures(report: Report) -> Iterator[tuple[str, str, str, str]]:
    """Every output in every metric; of single labels only the one that a limit would be held against."""
    from edgesqueeze.checks.metrics import worst
    from edgesqueeze.report.figures import change_of, title_of, value_of

    found = report.fidelity
    decides = worst(found.figures)
    for one in found.figures:
        if (one.part is not None and one is not decides) or (one.truth == "original" and one.unit == "own"):
            continue
        title, after = title_of(one, len(found.outputs) > 1), value_of(one, one.compressed)
        said = f"on {found.samples} test samples"
        if one.truth == "original":
            plain = one.unit == "share" and one.higher_is_better
            yield title, "", after, said if plain else f"against the original, {said}"
        elif one.original is not None:
            yield title, value_of(one, one.original), after, f"{change_of(one)} {said}"


def _resource(part: ResourceFit) -> tuple[str, str]:
    if part.needed_bytes is None or part.available_bytes is None:
        return "", f"not checked: {part.method}"
    verdict, of = part.verdict.replace("-", " "), _bytes(part.available_bytes)
    share = part.share_percent or 0.0
    said = f"{share:.0f} %" if share >= 1 or part.needed_bytes == 0 else "less than 1 %"
    return _bytes(part.needed_bytes), f"{verdict}: {said} of {of}"


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
    part that all tensors share and the operator at its end say nothing. An activation that was fused into
    the layer may come first, as ``model/block/re_lu/Relu;model/block/layer/Conv2D``.
    """
    whole = [_layer_of(name) for name in names]
    models = {name.split("/")[0] for name in whole if name.split("/")[-1].startswith(WEIGHTED)}
    paths = {name: name.split("/") for name in whole if not _is_kernel(name, models)}
    first = next(iter(paths.values()), [])
    shared = 0
    while first and all(len(path) > shared + 2 and path[shared] == first[shared] for path in paths.values()):
        shared += 1
    made = ["/".join(paths[name][shared:-1] or paths[name][-1:]) if name in paths else name for name in whole]
    return made if len(set(made)) == len(made) else whole


def _is_kernel(name: str, models: Collection[str]) -> bool:
    """Whether a name is one that EdgeSqueeze gives, without the model's: ``lstm/recurrent_kernel/forget``."""
    first, *path = name.split("/")
    return first not in models and any(part.endswith("kernel") for part in path[-2:])


def _layer_of(name: str) -> str:
    """The part of a tensor's name that is about the layer which has the weights; the first if none tells."""
    parts = name.split(";")
    return next((part for part in parts if part.split("/")[-1].startswith(WEIGHTED)), parts[0])


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
    limits = f", and {_kept(report)}" if limited else ""
    return f"[green]ok[/]: {said_of(report.fit)}{limits}"


def said_of(fit: Fit) -> str:
    """That a model fits, which is said only of what was looked at."""
    parts = {"its memory": fit.ram.verdict, "its operators": fit.ops.verdict}
    unknown = [name for name, verdict in parts.items() if verdict == "not-checked"]
    if not unknown:
        return f"it fits {fit.target}"
    known = f"{fit.target} has all operators; " if fit.ops.verdict == "fits" else f"on {fit.target} "
    were = "was" if unknown == ["its memory"] else "were"
    return f"{known}{' and '.join(unknown)} {were} not checked"


def _kept(report: Report) -> str:
    """That the limit on the accuracy drop is kept, and in which metric."""
    from edgesqueeze.checks.metrics import worst
    from edgesqueeze.report.figures import amount_of, title_of

    limit, figure = report.recipe.limits.max_accuracy_drop, worst(report.fidelity.figures)
    if figure is None or figure.drop is None or limit is None:
        return "there is nothing that the limit on the accuracy drop could be held against"
    title = title_of(figure, len(report.fidelity.outputs) > 1)
    return f"the drop ({title}: {amount_of(figure, figure.drop)}) is within {amount_of(figure, limit)}"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times smaller" if ratio >= 1 else f"{1 / ratio:.1f} times larger"


def _bytes(count: int) -> str:
    if count < 10_000:
        return f"{count:,} B"
    return f"{count / 1024:,.1f} KiB" if count < 10 << 20 else f"{count / (1 << 20):,.1f} MiB"
