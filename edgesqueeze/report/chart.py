"""A bar chart of the time that each layer takes, as an SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from edgesqueeze.base.output import write_files
from edgesqueeze.base.plain import plain
from edgesqueeze.base.records import Range
from edgesqueeze.base.templates import rendered
from edgesqueeze.base.versions import own_version
from edgesqueeze.errors import OutputError
from edgesqueeze.latency.prediction import PredictedLayer, Prediction
from edgesqueeze.timing.emulation import EmulatedLayer, Emulation

MOST_BARS = 50
"""Of more layers the shortest are one bar together."""
WIDTH, LEFT, RIGHT, TOP, ROW = 1080, 400, 180, 104, 24
SHAPES = 34
NAME = 60
"""Most characters of a model's or an operator's name."""
CHARACTER = 7.0
"""Width of one character of the legend, about."""
TEMPLATE = Path(__file__).with_name("templates") / "layers.svg"

# Colours that people with any colour vision tell apart (Okabe and Ito, Color Universal Design, 2008).
_GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "CONV_2D": ("convolution", "#0072b2"),
        "TRANSPOSE_CONV": ("convolution", "#0072b2"),
        "DEPTHWISE_CONV_2D": ("depthwise convolution", "#56b4e9"),
        "FULLY_CONNECTED": ("fully connected", "#e69f00"),
        "BATCH_MATMUL": ("fully connected", "#e69f00"),
    }
)
_OTHER = ("everything else", "#8c959f")
_REST = ("shorter layers together", "#d0d7de")


class _Layer(NamedTuple):
    label: str
    shapes: str
    group: tuple[str, str]
    ms: Range
    share: float


def write_chart(result: Emulation | Prediction, path: Path) -> None:
    """Write the chart; a file of that name is replaced.

    Args:
        result: what ``bench`` found.
        path: ends with ``.svg``.

    Raises:
        OutputError: the name ends with something else, or the file cannot be written.
    """
    if path.suffix.lower() != ".svg":
        raise OutputError(
            f"{path} is no name for a chart",
            expected="a name that ends with .svg",
            got=path.suffix or "none",
            hint="for example --plot layers.svg",
        )
    try:
        write_files(path.parent, {path.name: chart(result)})
    except OutputError as error:
        raise OutputError(
            f"cannot write the chart {path}",
            expected="a file that can be made or replaced",
            got=error.got,
            hint="name another file with --plot, or free some space",
        ) from error


def chart(result: Emulation | Prediction) -> str:
    """The chart as SVG: one bar a layer in the order in which they run, with bounds."""
    layers = _shortened(_layers(result))
    # What is summed up would squeeze the others: its bar ends with the axis, its figures are true.
    longest = max((layer.ms.estimate for layer in layers if layer.group != _REST), default=0.0) or 1.0
    step = _step(longest)
    end = step * math.ceil(longest / step - 1e-9)
    scale = (WIDTH - LEFT - RIGHT) / end
    bottom = TOP + ROW * len(layers)
    values = {
        "width": WIDTH,
        "height": bottom + 64,
        "left": LEFT,
        "top": TOP,
        "bottom": bottom,
        "value_x": WIDTH - 80,
        "title": _title(result),
        "subtitle": _subtitle(result),
        "legend": _legend(layers),
        "ticks": [
            {"x": round(LEFT + step * number * scale, 1), "text": f"{step * number:,.10g} ms"}
            for number in range(round(end / step) + 1)
        ],
        "bars": [_bar(layer, TOP + ROW * number, scale, end) for number, layer in enumerate(layers)],
        "footer": f"EdgeSqueeze {own_version()}. Lines in the bars: bounds, as far as they fit.",
    }
    return rendered(TEMPLATE, values, xml=True)


def _layers(result: Emulation | Prediction) -> list[_Layer]:
    if isinstance(result, Prediction):
        return [_layer(layer, layer.latency_ms) for layer in result.layers]
    per_ms = result.clock_mhz * 1000
    return [_layer(layer, _in_milliseconds(layer.cycles, per_ms)) for layer in result.layers]


def _layer(layer: EmulatedLayer | PredictedLayer, time: Range) -> _Layer:
    group = _GROUPS.get(layer.opcode, _OTHER)
    return _Layer(f"{layer.index} {_short(plain(layer.opcode))}", layer.summary, group, time, layer.share)


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 3]}..."


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


def _bar(layer: _Layer, y: int, scale: float, end: float) -> dict[str, Any]:
    low, high = (round(LEFT + min(value, end) * scale, 1) for value in (layer.ms.low, layer.ms.high))
    bounds = f"{_milliseconds(layer.ms.low)} to {_milliseconds(layer.ms.high)} ms"
    return {
        "y": y,
        "label": layer.label,
        "shapes": layer.shapes if len(layer.shapes) <= SHAPES else layer.shapes[: SHAPES - 3] + "...",
        "hint": f"{layer.label} {layer.shapes}: {_milliseconds(layer.ms.estimate)} ms, {bounds}",
        "width": max(0.5, round(min(layer.ms.estimate, end) * scale, 1)),
        "low": low,
        "high": high,
        "whisker": high - low > 2,
        "colour": layer.group[1],
        "value": f"{_milliseconds(layer.ms.estimate)} ms",
        "share": f"{layer.share:.1%}",
    }


def _legend(layers: Sequence[_Layer]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    x = 24.0
    for text, colour in dict.fromkeys(layer.group for layer in layers):
        entries.append({"x": round(x), "text": text, "colour": colour})
        x += 40 + CHARACTER * len(text)
    return entries


def _title(result: Emulation | Prediction) -> str:
    name = _short(plain(result.model))
    return f"{name} on {result.target}: {_milliseconds(result.latency_ms.estimate)} ms"


def _subtitle(result: Emulation | Prediction) -> str:
    span = f"{_milliseconds(result.latency_ms.low)} to {_milliseconds(result.latency_ms.high)} ms"
    runtime = "native C" if isinstance(result, Emulation) else result.runtime_version
    text = f"{result.method}, {span}; {result.core}, {result.clock_mhz:g} MHz; {runtime}"
    return text if len(text) <= 140 else text[:137] + "..."


def _step(longest: float) -> float:
    """Between ticks: 1, 2 or 5 times a power of ten, four to eight of them."""
    power = 10.0 ** math.floor(math.log10(longest / 4))
    return next(factor * power for factor in (1, 2, 5, 10) if longest / (factor * power) <= 8)


def _milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
