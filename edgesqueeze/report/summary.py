"""What a person wants to know of a report, in words: ``compress`` prints it, the page shows it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, cast

from edgesqueeze.base.findings import Finding, Severity
from edgesqueeze.checks.metrics import worst
from edgesqueeze.checks.records import ChannelsReport
from edgesqueeze.recipe.passes import PASSES
from edgesqueeze.report.figures import amount_of, change_of, title_of, value_of
from edgesqueeze.report.report import Report, problems_of
from edgesqueeze.target.fit import Fit, OperatorFit, ResourceFit

# More findings of one kind than this are counted instead of listed.
LISTED = 6
# How TensorFlow's names of the operators begin that have weights.
WEIGHTED = ("Conv", "conv", "depthwise", "separable", "MatMul", "Tensordot", "BiasAdd")
# What a pass that skips a layer calls it -> what did not happen to the layer.
SKIPPED = {f"{row.name}-skipped": row.done for row in PASSES if row.done}


class Row(NamedTuple):
    """One figure before and after.

    Attributes:
        title: what the figure is.
        before: the original's; empty where it has none.
        after: that of what was made; empty where it is not known.
        said: what there is to say of it.
    """

    title: str
    before: str
    after: str
    said: str


def rows_of(report: Report) -> Iterator[Row]:
    """Sizes, accuracy, memory and operators, before and after."""
    sizes = report.sizes
    before, after = bytes_text(sizes.float_bytes), bytes_text(sizes.tflite_bytes)
    yield Row("size", before, after, f"float32 -> .tflite{_times(sizes.float_bytes, sizes.tflite_bytes)}")
    deflated = bytes_text(sizes.tflite_deflate_bytes)
    told = _times(sizes.float_bytes, sizes.tflite_deflate_bytes)
    yield Row("deflated", "", deflated, f"as a download{told}")
    if report.channels is not None:
        yield _macs(report.channels)
        for one in report.channels.budgets:
            yield Row(one.name, "", f"{one.taken:.4g}", f"at most {one.allowed:g} on {report.target}")
    yield from _figures(report)
    plain = report.details.plain if report.details else None
    flash, ram = (plain.flash_bytes, plain.ram_bytes) if plain else (None, None)
    for name, part, earlier in (("flash", report.fit.flash, flash), ("RAM", report.fit.ram, ram)):
        shown = "" if earlier is None else bytes_text(earlier)
        yield Row(f"{name} on {report.target}", shown, *_resource(part))
    yield _operators(report.fit.ops)


def _macs(found: ChannelsReport) -> Row:
    cut = [one for one in found.layers if one.after < one.before]
    channels = f"{sum(one.before for one in cut):,} -> {sum(one.after for one in cut):,} channels"
    said = f"{found.share:.1%} fewer, {found.share_asked:.1%} asked for; {channels} in {len(cut)} layers"
    return Row("MACs", f"{found.macs_before:,}", f"{found.macs_after:,}", said)


def _operators(found: OperatorFit) -> Row:
    missing = sorted({one.kind for one in found.missing})
    needed = f"{len(found.needed) - len(missing)} of {len(found.needed)}"
    said = [f"missing: {', '.join(missing)}"] if missing else [f"refused: {one}" for one in found.problems]
    if found.verdict == "not-checked":
        needed, said = "", ["not checked"]
    return Row(f"operators in {found.runtime}", "", needed, "; ".join(said) or "all there")


def _figures(report: Report) -> Iterator[Row]:
    """Every output in every metric; of single labels only the one that a limit would be held against."""
    found = report.fidelity
    decides = worst(found.figures)
    for one in found.figures:
        if (one.part is not None and one is not decides) or (one.truth == "original" and one.unit == "own"):
            continue
        title, after = title_of(one, len(found.outputs) > 1), value_of(one, one.compressed)
        said = f"on {found.samples} test samples"
        if one.truth == "original":
            plain = one.unit == "share" and one.higher_is_better
            yield Row(title, "", after, said if plain else f"against the original, {said}")
        elif one.original is not None:
            yield Row(title, value_of(one, one.original), after, f"{change_of(one)} {said}")


def _resource(part: ResourceFit) -> tuple[str, str]:
    if part.needed_bytes is None or part.available_bytes is None:
        return "", f"not checked: {part.method}"
    verdict, of = part.verdict.replace("-", " "), bytes_text(part.available_bytes)
    share = part.share_percent or 0.0
    said = f"{share:.0f} %" if share >= 1 or part.needed_bytes == 0 else "less than 1 %"
    return bytes_text(part.needed_bytes), f"{verdict}: {said} of {of}"


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
            Finding(code=codes[0], subject=subject, message=text, severity=cast(Severity, severity))
        )
    for code, listed in kinds.items():
        yield from listed[:LISTED]
        if len(listed) > LISTED:
            message = f"{len(listed) - LISTED} more {code}; {where} has them all"
            yield Finding(code=code, subject="", message=message, severity=listed[0].severity)


def verdict_of(report: Report) -> str:
    """Whether the result will do, and why, in one sentence."""
    if not report.ok:
        return "; ".join(problems_of(report))
    limited = report.recipe.limits.max_accuracy_drop is not None
    limits = f", and {_kept(report)}" if limited else ""
    return f"{said_of(report.fit)}{limits}"


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
    limit, figure = report.recipe.limits.max_accuracy_drop, worst(report.fidelity.figures)
    if figure is None or figure.drop is None or limit is None:
        return "there is nothing that the limit on the accuracy drop could be held against"
    title = title_of(figure, len(report.fidelity.outputs) > 1)
    return f"the drop ({title}: {amount_of(figure, figure.drop)}) is within {amount_of(figure, limit)}"


def _times(before: int, after: int) -> str:
    """By how much a size became another; nothing of a model without weights."""
    if not before:
        return ""
    ratio = max(before, after) / min(before, after)
    if f"{ratio:.1f}" == "1.0":
        return ", about as large"
    return f", {ratio:.1f} times {'smaller' if after < before else 'larger'}"


def bytes_text(count: int) -> str:
    """A size for a person."""
    if count < 10_000:
        return f"{count:,} B"
    return f"{count / 1024:,.1f} KiB" if count < 10 << 20 else f"{count / (1 << 20):,.1f} MiB"
