"""The pictures of the page: what is drawn, as values and a specification of Vega-Lite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from edgesqueeze.base.plain import plain
from edgesqueeze.checks.deviations import OutputDeviations
from edgesqueeze.report.draw import ACCENT, COLOURS, FAINT, INK, PAPER, WARM, svg
from edgesqueeze.report.page.classes import Matrix
from edgesqueeze.report.page.layers import Arena, Layer
from edgesqueeze.report.page.weights import Histogram

LETTER = 6
"""Width of a letter of a label, in pixels."""
LONGEST_LABEL = 90
"""Of a class's name, in pixels; what is longer is cut off."""
ROW = 17
"""Height of a bar with the room around it."""
MOST_NAMED = 40
"""With more layers than this, only some are named below the arena."""
NARROW, WIDE = 150, 520
GROUPS = {
    "trial": (COLOURS[5], 26),
    "finalist": (COLOURS[1], 70),
    "finalist on the front": (ACCENT, 90),
    "best": (WARM, 170),
}
"""Group of points -> colour and size; later ones lie on top."""
HINT, TEXT = {"field": "hint"}, {"field": "text"}
_WORDS = {"type": "text", "align": "left", "dx": 4, "color": FAINT, "aria": False}


class Point(NamedTuple):
    """A point of a scatter plot.

    Attributes:
        x: where it is, from left to right.
        y: where it is, upwards.
        group: a key of ``GROUPS``.
        hint: what there is to say of it.
    """

    x: float
    y: float
    group: str
    hint: str


def bars(
    layers: Sequence[Layer], value: Callable[[Layer], float | None], said: Callable[[float], str], title: str
) -> str:
    """One bar for each layer.

    Args:
        layers: in the order of execution.
        value: length of a layer's bar; None: it has none.
        said: the value in words.
        title: what the bars are, with the unit.
    """
    rows = [
        {
            "layer": label_of(layer),
            "value": number or 0.0,
            "text": "" if number is None else said(number),
            "hint": f"{label_of(layer)} {plain(layer.name)}: "
            f"{'not known' if number is None else said(number)}",
        }
        for layer in layers
        for number in [value(layer)]
    ]
    y = _by_layer(rows)
    largest = max((value(layer) or 0.0 for layer in layers), default=0.0)
    x = {"field": "value", "type": "quantitative", "title": title, "axis": _few_ticks(largest)}
    mark = {"type": "bar", "color": ACCENT, "height": ROW - 6}
    bar = {"mark": mark, "encoding": {"y": y, "x": x, "description": HINT}}
    words = {"mark": _WORDS, "encoding": {"y": y, "x": x, "text": TEXT}}
    return svg(rows, {"width": NARROW, "height": {"step": ROW}, "layer": [bar, words]})


def times(layers: Sequence[Layer]) -> str:
    """The time of each layer with its bounds."""
    rows = [
        {
            "layer": label_of(layer),
            "ms": layer.ms.estimate,
            "low": layer.ms.low,
            "high": layer.ms.high,
            "text": number_text(layer.ms.estimate),
            "hint": f"{label_of(layer)} {plain(layer.name)}: {number_text(layer.ms.estimate)} ms, "
            f"{number_text(layer.ms.low)} to {number_text(layer.ms.high)} ms",
        }
        for layer in layers
        if layer.ms is not None
    ]
    y = _by_layer(rows)
    x = {"field": "ms", "type": "quantitative", "title": "milliseconds, with bounds", "axis": _few_ticks()}
    bar = {"type": "bar", "color": ACCENT, "height": ROW - 6}
    rule = {"type": "rule", "color": INK, "opacity": 0.6, "aria": False}
    bounds = {"y": y, "x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
    layered = [
        {"mark": bar, "encoding": {"y": y, "x": x, "description": HINT}},
        {"mark": rule, "encoding": bounds},
        {"mark": _WORDS, "encoding": {"y": y, "x": {"field": "high", "type": "quantitative"}, "text": TEXT}},
    ]
    return svg(rows, {"width": NARROW, "height": {"step": ROW}, "layer": layered})


def arena_picture(arena: Arena) -> str:
    """Memory over time: one rectangle for each tensor, from the first layer that needs it to the last."""
    last = len(arena.layers)
    rows = [
        {
            "from": place.first,
            "to": place.last + 1,
            "low": place.offset,
            "high": place.end,
            "colour": number % len(COLOURS),
            "hint": f"{plain(place.name)}: {place.size:,} bytes at {place.offset:,}, "
            f"{_time(place.first, arena)} to {_time(place.last, arena)}",
        }
        for number, place in enumerate(sorted(arena.places, key=lambda one: (one.first, one.offset)))
    ]
    begin = min((place.first for place in arena.places), default=0)
    end = max((place.last + 1 for place in arena.places), default=last)
    step = max(1, -(-last // MOST_NAMED))
    x = {
        "field": "from",
        "type": "quantitative",
        "scale": {"domain": [begin, end], "nice": False},
        "axis": {"title": "layer that runs", "values": list(range(0, last + 1, step)), "grid": False},
    }
    y = {"field": "low", "type": "quantitative", "title": "bytes from the start of the arena"}
    colour = {
        "field": "colour",
        "type": "nominal",
        "scale": {"domain": list(range(len(COLOURS))), "range": list(COLOURS)},
        "legend": None,
    }
    encoding = {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": "high"}, "color": colour}
    mark = {"type": "rect", "stroke": PAPER, "strokeWidth": 1}
    spec = {"width": WIDE, "height": 260, "mark": mark, "encoding": {**encoding, "description": HINT}}
    return svg(rows, spec)


def histogram(found: Histogram) -> str:
    """How often each value occurs; zeros have a colour of their own."""
    rows = [
        {
            "from": one.low,
            "to": one.high,
            "count": one.amount,
            "zero": one.zero,
            "hint": f"{one.said}: {one.amount:,} of {found.elements:,}",
        }
        for one in found.bins
    ]
    x = {"field": "from", "type": "quantitative", "title": found.unit, "axis": _few_ticks()}
    x["scale"] = {"nice": False, "domain": [found.low, found.high]}
    y = {"field": "count", "type": "quantitative", "axis": None, "scale": {"type": "sqrt"}}
    colour = {
        "field": "zero",
        "type": "nominal",
        "scale": {"domain": [False, True], "range": [ACCENT, WARM]},
        "legend": None,
    }
    encoding: dict[str, Any] = {"x": x, "x2": {"field": "to"}, "y": y, "color": colour, "description": HINT}
    return svg(
        rows,
        {"width": 210, "height": 90, "mark": {"type": "bar", "orient": "vertical"}, "encoding": encoding},
    )


def deviations(found: OutputDeviations) -> str:
    """How far values are off: the .tflite as bars; the original as a line, where there are labels."""
    rows = [
        {
            "from": one.low,
            "to": one.high,
            "count": one.compressed,
            "before": one.original or 0,
            "middle": (one.low + one.high) / 2,
            "hint": f"{number_text(one.low)} to {number_text(one.high)}: {one.compressed:,} of "
            f"{found.values:,} values{'' if one.original is None else f', {one.original:,} before'}",
        }
        for one in found.bins
    ]
    off = "label" if found.truth == "labels" else "original"
    x = {"field": "from", "type": "quantitative", "title": f"value less the {off}'s", "axis": _few_ticks()}
    x["scale"] = {"nice": False, "domain": [found.bins[0].low, found.bins[-1].high]}
    y = {"type": "quantitative", "axis": None, "scale": {"type": "sqrt"}}
    bar = {"x": x, "x2": {"field": "to"}, "y": {"field": "count", **y}, "description": HINT}
    layered: list[dict[str, Any]] = [
        {"mark": {"type": "bar", "orient": "vertical", "color": ACCENT}, "encoding": bar}
    ]
    if found.truth == "labels":
        middle = {"field": "middle", "type": "quantitative"}
        line = {"type": "line", "interpolate": "step", "color": WARM, "strokeWidth": 1.5, "aria": False}
        layered.append({"mark": line, "encoding": {"x": middle, "y": {"field": "before", **y}}})
    return svg(rows, {"width": 300, "height": 140, "layer": layered})


def scatter(points: Sequence[Point], x: str, y: str) -> str:
    """Points in groups; what is left of and below others is better.

    Args:
        points: what is drawn.
        x: title of the horizontal axis.
        y: title of the vertical axis.
    """
    rows = [
        {"x": one.x, "y": one.y, "group": one.group, "size": GROUPS[one.group][1], "hint": plain(one.hint)}
        for one in points
    ]
    groups = [name for name in GROUPS if any(one.group == name for one in points)]
    scale = {"domain": groups, "range": [GROUPS[name][0] for name in groups]}
    legend = {"orient": "top", "title": None, "columns": 2, "columnPadding": 30}
    colour = {"field": "group", "type": "nominal", "scale": scale, "legend": legend}
    size = {"field": "size", "type": "quantitative", "scale": None}
    axis = {"type": "quantitative", "scale": {"zero": False, "nice": True}}
    encoding = {
        "x": {"field": "x", "title": x, **axis},
        "y": {"field": "y", "title": y, **axis},
        "color": colour,
        "size": size,
        "description": HINT,
    }
    mark = {"type": "point", "filled": True, "opacity": 0.85}
    return svg(rows, {"width": 300, "height": 260, "mark": mark, "encoding": encoding})


def confusion(found: Matrix) -> str:
    """A confusion matrix: the darker a cell, the more of its row's samples; what is confused in orange."""
    rows = [
        {
            "row": one.row,
            "column": one.column,
            "text": str(one.samples),
            "strength": 0.12 + 0.88 * one.share**0.5,
            "right": one.row == one.column,
            "hint": f"{found.rows} {one.row}, {found.columns} {one.column}: {one.samples:,} samples, "
            f"{one.share:.1%}",
        }
        for one in found.cells
    ]
    step = max(12, min(30, 330 // max(len(found.names), 1)))
    axis = {"labelLimit": LONGEST_LABEL, "grid": False, "labelOverlap": True}
    names = {"type": "nominal", "sort": list(found.names), "scale": {"domain": list(found.names)}}
    # Labels are measured in another font than the reader's, which may be wider by a third.
    length = max((len(name) for name in found.names), default=0)
    axis["titlePadding"] = 4 + min(LONGEST_LABEL, LETTER * length) // 3
    x = {"field": "column", "title": found.columns, "axis": {**axis, "labelAngle": -90}, **names}
    y = {"field": "row", "title": found.rows, "axis": axis, **names}
    colour = {
        "field": "right",
        "type": "nominal",
        "scale": {"domain": [True, False], "range": [ACCENT, WARM]},
        "legend": None,
    }
    shade = {"field": "strength", "type": "quantitative", "scale": None}
    cells = {"x": x, "y": y, "color": colour, "opacity": shade, "description": HINT}
    layered: list[dict[str, Any]] = [{"mark": "rect", "encoding": cells}]
    if step >= 22:
        words = {"type": "text", "aria": False, "fontSize": 10}
        layered.append({"mark": words, "encoding": {"x": x, "y": y, "text": TEXT}})
    return svg(rows, {"width": {"step": step}, "height": {"step": step}, "layer": layered})


def label_of(layer: Layer) -> str:
    """What to call a layer beside its bar."""
    return plain(layer.kind) if layer.number is None else f"{layer.number} {plain(layer.kind)}"


def number_text(value: float) -> str:
    """A figure with three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _time(layer: int, arena: Arena) -> str:
    if layer < 0:
        return "the caller"
    return arena.layers[layer] if layer < len(arena.layers) else "the caller"


def _by_layer(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    axis = {"labelLimit": 170, "ticks": False, "domain": False}
    names = [row["layer"] for row in rows]
    return {"field": "layer", "type": "nominal", "sort": names, "title": None, "axis": axis}


def _few_ticks(largest: float = 1.0) -> dict[str, Any]:
    """Thousands as k; 0.001 must not become 1m, nor 100 become 1e+2."""
    return {"tickCount": 4, "format": "~s" if largest >= 1000 else "~r"}
