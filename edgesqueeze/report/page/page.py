"""One self-contained page of HTML about what ``compress`` made: it loads nothing and sends nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from edgesqueeze.base.given import path_of
from edgesqueeze.base.output import write_files
from edgesqueeze.base.plain import plain
from edgesqueeze.base.templates import rendered
from edgesqueeze.base.versions import own_version
from edgesqueeze.errors import TargetError
from edgesqueeze.report.made import Made, read_made
from edgesqueeze.report.page import charts
from edgesqueeze.report.page.layers import OnTarget, on_target
from edgesqueeze.report.page.weights import histograms
from edgesqueeze.report.summary import Row, bytes_text, rows_of, short_names, shown_findings, verdict_of
from edgesqueeze.target.load import as_target
from edgesqueeze.target.records import Target

FOLDER = Path(__file__).with_name("templates")
STYLE, SCRIPT = FOLDER / "page.css", FOLDER / "page.js"


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


def write_page(
    folder: str | Path,
    file: str | Path | None = None,
    *,
    target: str | Path | Target | None = None,
    runtime: str = "",
) -> Path:
    """Write the page about a folder that ``compress`` wrote.

    Args:
        folder: has ``report.json`` and ``model.tflite``.
        file: where the page goes; ``report.html`` in the folder by default.
        target: the profile, where the report's name does not find it.
        runtime: the runtime whose time and memory are shown; the target's own by default.

    Returns:
        Where the page is.

    Raises:
        UsageError: the folder is not one that ``compress`` wrote.
        OutputError: the file cannot be written.
        MissingToolError: the package that draws charts is not installed.
    """
    made = read_made(path_of(folder, "a folder that compress wrote"))
    place = path_of(file or Path(folder) / "report.html", "a file for the page")
    write_files(place.parent, {place.name: page(made, _profile(made, target), runtime)})
    return place


def _profile(made: Made, given: str | Path | Target | None) -> Target | None:
    """The profile; None where the report's is a file that is not at hand."""
    if given is not None:
        return as_target(given)
    try:
        return as_target(made.report.target)
    except TargetError:
        return None


def page(made: Made, target: Target | None, runtime: str = "") -> str:
    """The text of the page.

    Args:
        made: what it is about.
        target: the profile; None where it is not at hand: then there is no time of layers.
        runtime: that of the profile by default.
    """
    found = on_target(made.model, target, runtime)
    report = made.report
    script = SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    values: dict[str, Any] = {
        "style": Markup(STYLE.read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": digest,
        "version": own_version(),
        "title": f"{plain(report.model.name)} on {target.title if target else report.target}",
        "ok": report.ok,
        "verdict": plain(verdict_of(report)),
        "rows": list(_rows(made, found)),
        "runtime": found.runtime,
        "layers": found.layers,
        "pictures": list(_layer_pictures(found)),
        "arena": _arena(found),
        "weights": _weights(made),
        "findings": list(shown_findings(report.findings)),
        "stages": report.stages,
        "recipe": report.recipe.model_dump(exclude_none=True),
        "methods": list(_methods(made, found)),
        "versions": list(report.environment.items()),
    }
    return rendered(FOLDER / "page.html.j2", values, filters={"plain": plain, "size": bytes_text}, xml=True)


def _rows(made: Made, found: OnTarget) -> Iterator[Row]:
    """What ``compress`` prints, and the time."""
    yield from rows_of(made.report)
    if isinstance(found.timing, str):
        yield Row("latency", "", "", f"not known: {found.timing}")
    else:
        ms = found.timing.latency_ms
        low, high = charts.number_text(ms.low), charts.number_text(ms.high)
        said = f"{found.timing.method}, {low} to {high} ms with {found.timing.runtime}"
        yield Row(f"latency on {made.report.target}", "", f"{charts.number_text(ms.estimate)} ms", said)


def _layer_pictures(found: OnTarget) -> Iterator[Picture]:
    layers = found.layers
    if not isinstance(found.timing, str):
        said = f"{found.timing.method} for {found.runtime}"
        yield Picture("Time", said, Markup(charts.times(layers)))
    for title, unit, value in (
        ("Multiply-accumulates", "multiply-accumulates", lambda one: one.macs),
        ("Flash", "bytes of constants", lambda one: one.flash_bytes),
        ("RAM", "bytes of the arena in use", lambda one: one.ram_bytes),
    ):
        drawn = charts.bars(layers, value, lambda number: f"{number:,.0f}", unit)
        yield Picture(title, "", Markup(drawn))


def _arena(found: OnTarget) -> Picture | None:
    if not found.arena.places:
        return None
    said = f"{found.arena.bytes:,} bytes for tensors and scratch memory; {found.arena.method}"
    return Picture("Memory over time", said, Markup(charts.arena_picture(found.arena)))


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
        yield "latency", f"{found.timing.method}: {' '.join(found.timing.basis)}"
    yield "zeros, different values", "counted in the integers of the .tflite"
    yield "multiply-accumulates", "counted from the shapes; zero weights count too"
    yield "memory over time", found.arena.method
