"""A bar chart of the time that each layer takes, as an SVG of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from edgesqueeze.base.output import write_file
from edgesqueeze.base.plain import plain
from edgesqueeze.base.records import Range
from edgesqueeze.base.versions import own_version
from edgesqueeze.errors import OutputError
from edgesqueeze.latency.prediction import PredictedLayer, Prediction
from edgesqueeze.report.draw import COLOURS, FAINT, INK, svg
from edgesqueeze.timing.emulation import EmulatedLayer, Emulation

MOST_BARS = 50
"""Of more layers the shortest are one bar together."""
WIDTH, ROW = 460, 24
NAME, SHAPES = 60, 34
"""Most characters of a model's or an operator's name, and of shapes."""

_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "CONV_2D": "convolution",
        "TRANSPOSE_CONV": "convolution",
        "DEPTHWISE_CONV_2D": "depthwise convolution",
        "FULLY_CONNECTED": "fully connected",
        "BATCH_MATMUL": "fully connected",
    }
)
_OTHER, _REST = "everything else", "shorter layers together"
_COLOURS: Mapping[str, str] = MappingProxyType(
    dict(zip((*dict.fromkeys(_GROUPS.values()), _OTHER, _REST), (*COLOURS[:3], *COLOURS[-2:]), strict=True))
)


class _Layer(NamedTuple):
    label: str
    shapes: str
    group: str
    ms: Range
    share: float


def write_chart(result: Emulation | Prediction, path: Path) -> None:
    """Write the chart; a file of that name is replaced.

    Args:
        result: what ``bench`` found.
        path: ends with ``.svg``.

    Raises:
        OutputError: the name ends with something else, or the file cannot be written.
        MissingToolError: the package that draws charts is not installed.
    """
    if path.suffix.lower() != ".svg":
        raise OutputError(
            f"{path} is no name for a chart",
            expected="a name that ends with .svg",
            got=path.suffix or "none",
            hint="for example --plot layers.svg",
        )
    write_file(path, chart(result), "--plot")


def chart(result: Emulation | Prediction) -> str:
    """The chart as SVG: one bar a layer in the order in which they run, with bounds.

    Raises:
        MissingToolError: the package that draws charts is not installed.
    """
    layers = _shortened(_layers(result))
    # What is summed up would squeeze the others: its bar ends with the axis, its figures are true.
    longest = max((layer.ms.estimate for layer in layers if layer.group != _REST), default=0.0) or 1.0
    rows = [_row(layer) for layer in layers]
    y = {
        "field": "label",
        "type": "nominal",
        "sort": [row["label"] for row in rows],
        "title": None,
        "axis": {"labelLimit": 380, "labelFontSize": 12, "ticks": False, "domain": False},
    }
    scale = {"domain": [0, longest], "nice": True, "clamp": True}
    x = {"field": "ms", "type": "quantitative", "scale": scale, "title": "milliseconds; lines: bounds"}
    groups = [name for name in _COLOURS if any(layer.group == name for layer in layers)]
    colours = {"domain": groups, "range": [_COLOURS[name] for name in groups]}
    legend = {"orient": "top", "title": None}
    colour = {"field": "group", "type": "nominal", "scale": colours, "legend": legend}
    bar = {"y": y, "x": x, "color": colour, "description": {"field": "hint"}}
    rule = {"type": "rule", "color": INK, "opacity": 0.6, "aria": False}
    bounds = {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}}
    said = {"y": y, "x": {"value": "width"}, "text": {"field": "text"}}
    return svg(
        rows,
        {
            "width": WIDTH,
            "height": {"step": ROW},
            "background": "#ffffff",
            "padding": 16,
            "title": {
                "text": _title(result),
                "subtitle": [*_subtitle(result), f"EdgeSqueeze {own_version()}"],
            },
            "layer": [
                {"mark": {"type": "bar", "height": ROW - 8}, "encoding": bar},
                {"mark": rule, "encoding": bounds},
                {"mark": {"type": "text", "align": "left", "dx": 10, "color": FAINT}, "encoding": said},
            ],
        },
    )


def _layers(result: Emulation | Prediction) -> list[_Layer]:
    if isinstance(result, Prediction):
        return [_layer(layer, layer.latency_ms) for layer in result.layers]
    per_ms = result.clock_mhz * 1000
    return [_layer(layer, _in_milliseconds(layer.cycles, per_ms)) for layer in result.layers]


def _layer(layer: EmulatedLayer | PredictedLayer, time: Range) -> _Layer:
    group = _GROUPS.get(layer.opcode, _OTHER)
    label = f"{layer.index} {_short(plain(layer.opcode), NAME)}"
    return _Layer(label, _short(layer.summary, SHAPES), group, time, layer.share)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 3]}..."


def _in_milliseconds(cycles: Range, per_ms: float) -> Range:
    return Range(estimate=cycles.estimate / per_ms, low=cycles.low / per_ms, high=cycles.high / per_ms)


def _shortened(layers: Sequence[_Layer]) -> list[_Layer]:
    """With the shortest layers as one, if there are too many."""
    if len(layers) <= MOST_BARS:
        return list(layers)
    least = sorted((layer.ms.estimate for layer in layers), reverse=True)[MOST_BARS - 1]
    shown = [layer for layer in layers if layer.ms.estimate >= least][:MOST_BARS]
    names = {layer.label for layer in shown}
    rest = [layer for layer in layers if layer.label not in names]
    together = Range(
        estimate=sum(layer.ms.estimate for layer in rest),
        low=sum(layer.ms.low for layer in rest),
        high=sum(layer.ms.high for layer in rest),
    )
    share = sum(layer.share for layer in rest)
    return [*shown, _Layer(f"{len(rest)} shorter layers", "", _REST, together, share)]


def _row(layer: _Layer) -> dict[str, object]:
    label = f"{layer.label}  {layer.shapes}".rstrip()
    bounds = f"{_milliseconds(layer.ms.low)} to {_milliseconds(layer.ms.high)} ms"
    return {
        "label": label,
        "ms": layer.ms.estimate,
        "low": layer.ms.low,
        "high": layer.ms.high,
        "group": layer.group,
        "text": f"{_milliseconds(layer.ms.estimate)} ms, {layer.share:.1%}",
        "hint": f"{label}: {_milliseconds(layer.ms.estimate)} ms, {bounds}",
    }


def _title(result: Emulation | Prediction) -> str:
    name = _short(plain(result.model), NAME)
    return f"{name} on {result.target}: {_milliseconds(result.latency_ms.estimate)} ms"


def _subtitle(result: Emulation | Prediction) -> list[str]:
    span = f"{_milliseconds(result.latency_ms.low)} to {_milliseconds(result.latency_ms.high)} ms"
    runtime = "native C" if isinstance(result, Emulation) else result.runtime_version
    first = f"{result.method}, {span}; {result.core}, {result.clock_mhz:g} MHz"
    return [first, runtime if len(runtime) <= 110 else runtime[:107] + "..."]


def _milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
