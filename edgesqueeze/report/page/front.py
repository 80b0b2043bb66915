"""The page about what a search found: the front, the finalists, and the best as ``compress`` made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from markupsafe import Markup

from edgesqueeze.base.plain import plain
from edgesqueeze.recipe.words import words_of
from edgesqueeze.report.front import FinalistRecord, Front, Takes, TrialRecord, judged_by
from edgesqueeze.report.made import Made
from edgesqueeze.report.page import charts
from edgesqueeze.report.page.html import html
from edgesqueeze.report.page.sections import Picture, values_of
from edgesqueeze.target.records import Target

TITLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "latency_ms": ("ms", "{} ms"),
        "flash_kib": ("flash, KiB", "{} KiB of flash"),
        "ram_kib": ("RAM, KiB", "{} KiB of RAM"),
        "accuracy_drop": ("drop", "a drop of {}"),
    }
)
"""Field of ``Takes`` -> title of a column, and the figure in a sentence."""


class Row(NamedTuple):
    """A finalist.

    Attributes:
        number: number of its trial.
        best: whether it is the best.
        cells: what it takes, in the order of ``TITLES``.
        missed: names of the limits that it misses.
        recipe: what was done, in words.
    """

    number: int
    best: bool
    cells: tuple[str, ...]
    missed: str
    recipe: str


def front_page(front: Front, best: Made | None, target: Target | None, runtime: str = "") -> str:
    """The text of the page.

    Args:
        front: what was found.
        best: the best finalist; None where no model keeps to the limits, or it is not at hand.
        target: the profile; None where it is not at hand.
        runtime: that of the profile by default.
    """
    found = {} if best is None else values_of(best, target, runtime)
    states = [one.state for one in front.trials]
    values: dict[str, Any] = {
        **found,
        "title": f"{plain(front.model)} on {target.title if target else front.target}: search",
        "ok": front.ok,
        "verdict": plain(_verdict(front)),
        "best_verdict": found.get("verdict", ""),
        "best": front.best,
        "said": f"{len(states)} recipes tried, {states.count('trained')} trained to the end of the trials, "
        f"{len(front.finalists)} finalists; {front.accuracy.title} on {front.accuracy.trial_samples} samples "
        f"for trials and {front.accuracy.test_samples} that no trial saw; the drop of a trial is what a full "
        f"training is expected to leave of it.{_absent(front, best)}",
        "scatters": list(_scatters(front)),
        "titles": [title for title, _ in TITLES.values()],
        "finalists": [_row(one, front) for one in front.finalists],
        "facts": list(_facts(front)),
        "sensitive": [
            (one.layer, one.pass_name, drop_text(one.accuracy_drop, front)) for one in front.layers
        ],
        "versions": found.get("versions", list(front.environment.items())),
    }
    return html("front.html.j2", values)


def _absent(front: Front, best: Made | None) -> str:
    """That the best one is there and cannot be shown."""
    told = front.best is not None and best is None
    return " The folder best is not beside front.json: what it holds is not shown." if told else ""


def drop_text(drop: float | None, front: Front) -> str:
    """A drop in the metric's unit; shares differ by points."""
    if drop is None:
        return ""
    return f"{100 * drop:.2f} points" if front.accuracy.unit == "share" else f"{drop:.3g}"


def _verdict(front: Front) -> str:
    best = next((one for one in front.finalists if one.number == front.best), None)
    if best is None:
        return front.reason
    return f"the best is trial {best.number}: {_said(best.takes, front)}; {words_of(best.recipe)}"


def _said(takes: Takes, front: Front) -> str:
    cells = zip(TITLES.values(), _cells(takes, front), strict=True)
    return ", ".join(form.format(cell) for (_, form), cell in cells if cell)


def _cells(takes: Takes, front: Front) -> tuple[str, ...]:
    figures = takes.model_dump()
    return tuple(
        drop_text(figures[name], front)
        if name == "accuracy_drop"
        else ""
        if figures[name] is None
        else charts.number_text(figures[name])
        for name in TITLES
    )


def _row(one: FinalistRecord, front: Front) -> Row:
    cells = _cells(one.takes, front)
    return Row(one.number, one.number == front.best, cells, ", ".join(one.missed), words_of(one.recipe))


def _facts(front: Front) -> Iterator[tuple[str, str]]:
    yield "wanted", ", ".join(front.objectives)
    if len(front.accuracy.metrics) > 1:
        yield front.accuracy.title, ", ".join(front.accuracy.metrics)
    for name, limit in front.limits.model_dump().items():
        if limit is not None:
            yield name.replace("_", " "), f"{limit:g}"
    yield "quantized only", _said(front.baseline, front)
    for state in ("trained", "dropped", "unfit", "failed"):
        yield f"{state} trials", str(sum(one.state == state for one in front.trials))
    yield from front.left_out.items()
    yield "seed", str(front.seed)
    yield "seconds", f"{front.seconds:.0f}{'' if front.complete else ', interrupted'}"


def _scatters(front: Front) -> Iterator[Picture]:
    """The drop against the time and against the flash; of trials it is that which is expected."""
    tried: tuple[TrialRecord | FinalistRecord, ...] = (*front.trials, *front.finalists)
    scale = 100.0 if front.accuracy.unit == "share" else 1.0
    for field, title in (("latency_ms", "milliseconds"), ("flash_kib", "KiB of flash")):
        points = [
            charts.Point(x, scale * drop, _group(one, front), _hint(one, front))
            for one in tried
            if (x := getattr(one.takes, field)) is not None
            and (drop := judged_by(one).accuracy_drop) is not None
        ]
        if points:
            unit = "drop, points" if scale == 100 else "drop"
            yield Picture(f"Drop against {title}", "", Markup(charts.scatter(points, title, unit)))


def _group(one: TrialRecord | FinalistRecord, front: Front) -> str:
    if isinstance(one, TrialRecord):
        return "trial"
    if one.number == front.best:
        return "best"
    return "finalist on the front" if one.on_front else "finalist"


def _hint(one: TrialRecord | FinalistRecord, front: Front) -> str:
    if isinstance(one, FinalistRecord):
        return f"finalist {one.number}: {_said(one.takes, front)}; {words_of(one.recipe)}"
    hoped = (
        ""
        if one.expected_drop is None
        else f" after {one.steps} steps, {drop_text(one.expected_drop, front)} expected"
    )
    return f"trial {one.number}, {one.state}: {_said(one.takes, front)}{hoped}; {words_of(one.recipe)}"
