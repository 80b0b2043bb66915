"""What can be compared of a document that EdgeSqueeze printed: its figures, each with what it may vary by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from edgesqueeze.checks.agreement import Fidelity
from edgesqueeze.checks.metrics import METRICS, Figure, Unit
from edgesqueeze.devices.records import Boards, Measurement
from edgesqueeze.latency.prediction import Prediction
from edgesqueeze.report.documents import Document, find_document, read_document
from edgesqueeze.report.figures import title_of
from edgesqueeze.report.front import Front, Objective, Takes
from edgesqueeze.report.report import Report
from edgesqueeze.timing.emulation import Emulation
from edgesqueeze.timing.verdict import DeviceVerdict, Verdicts

Kind = Literal["accuracy", "latency", "instructions", "size", "flash", "ram"]

KIB = 1024
SHOWN_DIGITS = 12
"""Of a hash, which tell it from another."""

OBJECTIVE_KINDS: Mapping[Objective, Kind] = MappingProxyType(
    {"latency": "latency", "size": "flash", "accuracy": "accuracy"}
)
"""Objective of a search -> kind of the figure that it makes small."""


class Quantity(NamedTuple):
    """One figure of a document.

    Attributes:
        title: what a person calls it, the same in every document of its kind.
        kind: what a tolerance is named by.
        value: the figure.
        unit: unit of the figure: ``share``, ``ms``, ``bytes``, ``instructions``, or empty for a plain number.
        higher_is_better: whether a larger figure is a better one.
        samples: number of test samples that a share rests on; 0 for what is counted or measured in another
            way.
        exact: whether the same inputs give the same figure again.
        whole: what a tolerance of an accuracy is a part of; None: of the figure.
    """

    title: str
    kind: Kind
    value: float
    unit: str
    higher_is_better: bool = False
    samples: int = 0
    exact: bool = True
    whole: float | None = None


class Contents(NamedTuple):
    """What was read of one document.

    Attributes:
        kind: ``report``, ``search``, ``emulated``, ``predicted``, ``measured`` or ``compared``.
        quantities: figures by title.
        subject: what they are about: names that should be the same in both documents.
        problems: why the document itself says that a requirement is not met; empty if it is.
        device: the only device that was measured, which the titles do not name; empty: they name theirs, or
            there is none.
    """

    kind: str
    quantities: Mapping[str, Quantity]
    subject: Mapping[str, str]
    problems: tuple[str, ...]
    device: str = ""


def read_contents(path: Path) -> Contents:
    """Read the figures of a ``report.json``, a ``front.json``, or what ``bench --json`` printed.

    Args:
        path: the file, or the folder that ``compress`` or ``search`` wrote.

    Raises:
        UsageError: there is no such file, or it is none of them.
    """
    document = read_document(find_document(path))
    quantities = tuple(_quantities(document))
    return Contents(
        kind=_kind(document),
        quantities=MappingProxyType({one.title: one for one in quantities}),
        subject=MappingProxyType(dict(_subject(document))),
        problems=tuple(_problems(document)),
        device=document.host if isinstance(document, Measurement) else "",
    )


def of_device(contents: Contents) -> Contents:
    """The same with the device's name before every figure, as in a document of several devices."""
    named = _named(contents.device, contents.quantities.values())
    return contents._replace(quantities=MappingProxyType({one.title: one for one in named}), device="")


def _kind(document: Document) -> str:
    if isinstance(document, Front):
        return "search"
    return "report" if isinstance(document, Report) else document.method


def _quantities(document: Document) -> Iterator[Quantity]:
    if isinstance(document, Report):
        yield from _of_report(document)
    elif isinstance(document, Front):
        yield from _of_front(document)
    elif isinstance(document, Boards):
        for board in document.boards:
            yield from _named(board.host, _of_timing(board))
    elif isinstance(document, Verdicts):
        for device in document.devices:
            yield from _named(f"{device.device}, {device.method}", _of_verdict(device))
    else:
        yield from _of_timing(document)


def _named(name: str, quantities: Iterable[Quantity]) -> Iterator[Quantity]:
    yield from (one._replace(title=f"{name}: {one.title}") for one in quantities)


def _of_verdict(device: DeviceVerdict) -> Iterator[Quantity]:
    yield from _of_timing(device.timing)
    if device.fidelity:
        yield from _of_fidelity(device.fidelity)


def _of_fidelity(fidelity: Fidelity) -> Iterator[Quantity]:
    several = len(fidelity.outputs) > 1
    for figure in fidelity.figures:
        # Figures of single labels are many, and the mean is there as well.
        if figure.decides and figure.part is None:
            yield _accuracy(figure, several, fidelity.samples)


def _of_report(report: Report) -> Iterator[Quantity]:
    yield from _of_fidelity(report.fidelity)
    yield Quantity(".tflite", "size", report.sizes.tflite_bytes, "bytes")
    yield Quantity(".tflite, deflated", "size", report.sizes.tflite_deflate_bytes, "bytes")
    if report.sizes.arena_bytes is not None:
        yield Quantity("arena", "ram", report.sizes.arena_bytes, "bytes")
    if report.fit.flash.needed_bytes is not None:
        yield Quantity("flash", "flash", report.fit.flash.needed_bytes, "bytes")
    if report.fit.ram.needed_bytes is not None:
        yield Quantity("RAM", "ram", report.fit.ram.needed_bytes, "bytes")


def _of_front(front: Front) -> Iterator[Quantity]:
    """The best finalist's figures, and the least of each objective on the front."""
    within = [one for one in front.finalists if not one.missed]
    best = next((one.takes for one in within if one.number == front.best), None)
    if best is not None:
        yield from _named("best", _of_takes(best, front))
    for objective in front.objectives:
        kind = OBJECTIVE_KINDS[objective]
        found = [each for one in within for each in _of_takes(one.takes, front) if each.kind == kind]
        if found:
            least = (max if found[0].higher_is_better else min)(found, key=lambda one: one.value)
            yield least._replace(title=f"front's best {least.title}")


def _of_takes(takes: Takes, front: Front) -> Iterator[Quantity]:
    if takes.latency_ms is not None:
        yield Quantity("latency", "latency", takes.latency_ms, "ms")
    if takes.flash_kib is not None:
        yield Quantity("flash", "flash", KIB * takes.flash_kib, "bytes")
    if takes.ram_kib is not None:
        yield Quantity("RAM", "ram", KIB * takes.ram_kib, "bytes")
    if takes.accuracy_drop is None:
        return
    basis = front.accuracy
    row = next((one for one in METRICS if one.name == basis.metric), None)
    if row is None or basis.original is None:
        # Of no drop at all 2 % are nothing: it is a part of the figure that drops, which for shares is 1.
        whole = 1.0 if basis.original is None else abs(basis.original)
        unit = "share" if basis.unit == "share" else ""
        yield Quantity(f"drop of {basis.title}", "accuracy", takes.accuracy_drop, unit, whole=whole)
        return
    drop = takes.accuracy_drop if row.higher_is_better else -takes.accuracy_drop
    yield _of_metric(basis.title, basis.original - drop, basis.unit, row.higher_is_better, basis.test_samples)


def _accuracy(figure: Figure, several: bool, samples: int) -> Quantity:
    title, higher = title_of(figure, several), figure.higher_is_better
    return _of_metric(title, figure.compressed, figure.unit, higher, samples)


def _of_metric(title: str, value: float, unit: Unit, higher_is_better: bool, samples: int) -> Quantity:
    counted = unit == "share" and higher_is_better
    shown = "share" if unit == "share" else ""
    return Quantity(title, "accuracy", value, shown, higher_is_better, samples if counted else 0)


def _of_timing(document: Emulation | Prediction | Measurement) -> Iterator[Quantity]:
    measured = isinstance(document, Measurement)
    yield Quantity("latency", "latency", document.latency_ms.estimate, "ms", exact=not measured)
    if isinstance(document, Emulation):
        yield Quantity("instructions", "instructions", document.instructions, "instructions")
        yield Quantity("flash", "flash", document.memory.flash_bytes, "bytes")
        yield Quantity("RAM", "ram", document.memory.ram_bytes, "bytes")
    else:
        yield Quantity("file", "size", document.memory.flash_model_bytes or 0, "bytes")
    if isinstance(document, Measurement) and document.memory.ram_bytes is not None:
        yield Quantity("resident memory", "ram", document.memory.ram_bytes, "bytes", exact=False)


def _subject(document: Document) -> Iterator[tuple[str, str]]:
    """What both documents should have in common for their figures to mean the same."""
    if isinstance(document, Report):
        yield "model", document.model.name
        yield "target", document.target
        yield "runtime", document.fit.ops.runtime
        yield "data", document.data
        yield "samples", str(document.fidelity.samples)
    elif isinstance(document, Front):
        yield from _subject_of_search(document)
    elif isinstance(document, Verdicts):
        yield "model", document.model
        yield "data", document.data
        yield "samples", str(document.samples)
        for one in document.devices:
            yield f"runtime on {one.device}, {one.method}", one.runtime
    elif isinstance(document, Boards):
        yield "model", ", ".join(dict.fromkeys(one.model for one in document.boards))
    else:
        yield from _subject_of_timing(document)


def _subject_of_search(front: Front) -> Iterator[tuple[str, str]]:
    basis, limits = front.accuracy, front.limits.model_dump(exclude_none=True)
    yield "model", f"{front.model} ({front.model_sha256[:SHOWN_DIGITS]})"
    yield "target", front.target
    if front.runtime:
        yield "runtime", front.runtime
    yield "data", front.data
    yield "samples", str(basis.test_samples)
    yield "accuracy", f"{basis.title} against the {basis.truth}"
    yield "objectives", ", ".join(front.objectives)
    yield "limits", ", ".join(f"{name.replace('_', ' ')} {most:g}" for name, most in limits.items())


def _subject_of_timing(document: Emulation | Prediction | Measurement) -> Iterator[tuple[str, str]]:
    yield "model", document.model
    yield "target", document.target
    yield "runtime", document.runtime
    if isinstance(document, Emulation):
        yield "build", document.build
        yield "compiler", document.emulation.compiler
    elif isinstance(document, Prediction):
        yield "build", document.build or ""
        yield "threads", str(document.threads)
    else:
        yield "device", document.host
        yield "threads", ", ".join(str(one.threads) for one in document.threads[:1])


def _problems(document: Document) -> Iterator[str]:
    if isinstance(document, Report):
        from edgesqueeze.report.report import problems_of

        yield from problems_of(document)
    elif isinstance(document, Front):
        yield from () if document.ok else (document.reason or "no finalist keeps to all limits",)
    elif isinstance(document, Boards):
        yield from (f"{one.host}: {one.message}" for one in document.failures)
        yield from (f"{one.host}: {one.outputs.reason}" for one in document.boards if not one.outputs.ok)
    elif isinstance(document, Verdicts):
        yield from (f"{one.host}: {one.message}" for one in document.failures)
        yield from (
            f"{one.device}, {one.method}: outputs are wrong" for one in document.devices if not one.ok
        )
    elif isinstance(document, Measurement) and not document.outputs.ok:
        yield document.outputs.reason
