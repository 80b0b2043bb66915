"""The parts of the page about what ``compress`` made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from markupsafe import Markup

from edgesqueeze.base.plain import plain
from edgesqueeze.checks.choices import OutputChoices
from edgesqueeze.checks.deviations import OutputDeviations
from edgesqueeze.report.details import errors_of
from edgesqueeze.report.made import Made
from edgesqueeze.report.page import charts
from edgesqueeze.report.page.classes import Matrix, matrices, names_of
from edgesqueeze.report.page.layers import OnTarget, on_target
from edgesqueeze.report.page.weights import histograms
from edgesqueeze.report.report import Report
from edgesqueeze.report.summary import Row, bytes_text, rows_of, short_names, shown_findings, verdict_of
from edgesqueeze.target.records import Target
from edgesqueeze.timing.emulation import Emulation


class Picture(NamedTuple):
    """A chart with what there is to say of it.

    Attributes:
        title: what it shows.
        said: a sentence below the title; may be empty.
        svg: the drawing.
    """

    title: str
    said: str
    svg: Markup


class Output(NamedTuple):
    """An output that chooses classes.

    Attributes:
        found: what both models choose.
        name: name of the output.
        names: names of the classes.
        pictures: confusion matrices that can be read.
        listed: the others.
        changed: samples whose class changed, all of them.
    """

    found: OutputChoices
    name: str
    names: tuple[str, ...]
    pictures: list[Picture]
    listed: list[Matrix]
    changed: int


class ValuesOff(NamedTuple):
    """An output of values.

    Attributes:
        found: how far both models are off.
        name: name of the output.
        picture: how often they are as far off.
    """

    found: OutputDeviations
    name: str
    picture: Picture


def values_of(made: Made, target: Target | None, runtime: str = "") -> dict[str, Any]:
    """What the template of the page may name.

    Args:
        made: what the page is about.
        target: the profile; None where it is not at hand: then there is no time of layers.
        runtime: that of the profile by default.
    """
    report = made.report
    found = on_target(made.model, target, runtime, errors_of(report.details))
    return {
        "title": f"{plain(report.model.name)} on {target.title if target else report.target}",
        "ok": report.ok,
        "verdict": plain(verdict_of(report)),
        "rows": list(_rows(made, found)),
        "runtime": found.runtime,
        "layers": found.layers,
        "pictures": list(_layer_pictures(found)),
        "arena": _arena(found),
        "weights": _weights(made),
        "outputs": list(_classes(report)),
        "values": [ValuesOff(one, _name(report, one.output), _deviations(one)) for one in report.deviations],
        "findings": list(shown_findings(report.findings)),
        "stages": report.stages,
        "recipe": list(_asked(report)),
        "methods": list(_methods(made, found)),
        "versions": [*report.environment.items(), *_hashes(report)],
    }


def _rows(made: Made, found: OnTarget) -> Iterator[Row]:
    """What ``compress`` prints, and the time; with native C also its memory, as it was built."""
    yield from rows_of(made.report)
    if isinstance(found.timing, str):
        yield Row("latency", "", "", f"not known: {found.timing}")
        return
    if isinstance(found.timing, Emulation):
        memory = found.timing.memory
        yield Row("flash with native C", "", bytes_text(memory.flash_bytes), "code, weights and parameters")
        yield Row("RAM with native C", "", bytes_text(memory.ram_bytes), "arena, variables and stack")
    ms = found.timing.latency_ms
    low, high = charts.number_text(ms.low), charts.number_text(ms.high)
    said = f"{found.timing.method}, {low} to {high} ms with {_runtime(found)}"
    after = f"{charts.number_text(ms.estimate)} ms"
    yield Row(f"latency on {made.report.target}", _latency_before(made.report, found), after, said)


def _runtime(found: OnTarget) -> str:
    return "native C" if isinstance(found.timing, Emulation) else found.runtime


def _latency_before(report: Report, found: OnTarget) -> str:
    """That of the original without any pass, where it is with the same runtime."""
    before = report.details.plain if report.details else None
    if before is None or before.latency_ms is None or isinstance(found.timing, str):
        return ""
    same = before.latency_method == found.timing.method
    return f"{charts.number_text(before.latency_ms.estimate)} ms" if same else ""


def _layer_pictures(found: OnTarget) -> Iterator[Picture]:
    layers = found.layers
    if not isinstance(found.timing, str):
        said = f"{found.timing.method} for {_runtime(found)}"
        yield Picture("Time", said, Markup(charts.times(layers)))
    for title, unit, value in (
        ("Multiply-accumulates", "multiply-accumulates", lambda one: one.macs),
        ("Flash", "bytes of constants", lambda one: one.flash_bytes),
        ("RAM", "bytes of the arena in use", lambda one: one.ram_bytes),
    ):
        drawn = charts.bars(layers, value, lambda number: f"{number:,.0f}", unit)
        yield Picture(title, "", Markup(drawn))
    if any(one.error is not None for one in layers):
        drawn = charts.bars(
            layers, lambda one: one.error, charts.number_text, "error, as share of the spread"
        )
        yield Picture("Error", "against the float model, with what came before", Markup(drawn))


def _arena(found: OnTarget) -> Picture | None:
    if not found.arena.places:
        return None
    said = f"{found.arena.bytes:,} bytes for tensors and scratch memory; {found.arena.method}"
    return Picture("Memory over time", said, Markup(charts.arena_picture(found.arena)))


def _classes(report: Report) -> Iterator[Output]:
    for found in report.choices:
        names = names_of(found)
        drawn = [
            Picture(f"{one.title}: {one.rows} and {one.columns}", "", Markup(charts.confusion(one)))
            for one in matrices(found)
            if one.is_small
        ]
        listed = [one for one in matrices(found) if not one.is_small]
        changed = sum(one.samples for one in found.counts if one.original != one.compressed)
        yield Output(found, _name(report, found.output), names, drawn, listed, changed)


def _name(report: Report, output: int) -> str:
    """What an output is called."""
    names = [one.name for one in report.fidelity.figures if one.output == output and one.name]
    return plain(names[0]) if names else f"output {output}"


def _deviations(found: OutputDeviations) -> Picture:
    against = "the label" if found.truth == "labels" else "the original"
    said = f"{found.values:,} values of the .tflite less {against}, on a scale of square roots"
    if found.truth == "labels":
        said += "; the line is the original before"
    return Picture(f"Off {against}", said, Markup(charts.deviations(found)))


def _weights(made: Made) -> list[Picture]:
    shown = histograms(made.model)
    return [
        Picture(
            plain(name),
            f"{'x'.join(map(str, one.shape))} {one.dtype}: {one.zeros:.1%} zero, "
            f"{one.levels} different values",
            Markup(charts.histogram(one)),
        )
        for one, name in zip(shown, short_names([one.name for one in shown]), strict=True)
    ]


def _asked(report: Report) -> Iterator[tuple[str, str]]:
    """Sections of the recipe, with what each says; nothing of those that say nothing."""
    for section, asked in report.recipe.model_dump(mode="json", exclude_none=True).items():
        keys = asked.items() if isinstance(asked, dict) else [("", asked)]
        said = [f"{key} = {_written(value)}" if key else _written(value) for key, value in keys]
        if said:
            yield section, ", ".join(said)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _hashes(report: Report) -> Iterator[tuple[str, str]]:
    if report.provenance is None:
        yield "SHA-256 of model", report.model.sha256
        return
    told = report.provenance.model_dump()
    outputs = told.pop("outputs")
    yield from ((f"SHA-256 of {name}", one) for name, one in {**told, **outputs}.items() if one)


def _methods(made: Made, found: OnTarget) -> Iterator[tuple[str, str]]:
    """How each figure was obtained."""
    report = made.report
    yield "size", "of the files; deflated with zlib at level 9; the original's weights at four bytes each"
    samples = f"the same {report.fidelity.samples} test samples"
    yield "accuracy and agreement", f"the .tflite in LiteRT on this computer and the original, on {samples}"
    yield "flash", report.fit.flash.method
    yield "RAM", report.fit.ram.method
    yield "operators", report.fit.ops.method
    if not isinstance(found.timing, str):
        yield "latency", f"{found.timing.method}: " + "\n".join(found.timing.basis)
    if report.details is not None:
        said = "root mean square difference from the float model, over the spread of its values"
        yield "error of a layer", f"{said}, on {report.details.samples} test samples"
        yield from (("not found", one) for one in report.details.left_out)
    if report.details is not None and report.details.plain is not None:
        yield "flash, RAM, latency before", "of the original, converted in the same way without any pass"
    yield "zeros, different values", "counted in the integers of the .tflite"
    yield "multiply-accumulates", "counted from the shapes; zero weights count too"
    yield "memory over time", found.arena.method
