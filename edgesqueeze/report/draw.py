"""Charts as SVG, drawn by Vega-Lite without a browser.

A chart is a specification of Vega-Lite, which is public and documented; the package vl-convert-python has the
library that draws it. Colours are variables of CSS with a value for where there are none, so that one drawing
serves a light page, a dark one and a file of its own. What a mark is about stands in its ``aria-label``:
screen readers read it, and the page shows it where a pointer rests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from edgesqueeze.errors import MissingToolError

Spec = Mapping[str, Any]

INK, FAINT, LINE = "var(--ink, #1b1f24)", "var(--faint, #57606a)", "var(--line, #e1e4e8)"
ACCENT, WARM, PAPER = "var(--accent, #0072b2)", "var(--warm, #d55e00)", "var(--paper, #ffffff)"
# Colours that people with any colour vision tell apart (Okabe and Ito, Color Universal Design, 2008).
COLOURS = (
    "var(--c1, #0072b2)",
    "var(--c2, #56b4e9)",
    "var(--c3, #e69f00)",
    "var(--c4, #009e73)",
    "var(--c5, #cc79a7)",
    "var(--c6, #8c959f)",
)
_SHAPE = re.compile(r' (?:d|transform|x2|y2)="[^"]*"')

CONFIG: Mapping[str, Any] = MappingProxyType(
    {
        "background": None,
        "view": {"stroke": None},
        "axis": {
            "labelColor": FAINT,
            "titleColor": FAINT,
            "titleFontWeight": "normal",
            "labelFontSize": 11,
            "titleFontSize": 11,
            "gridColor": LINE,
            "domainColor": LINE,
            "tickColor": LINE,
        },
        "legend": {"labelColor": FAINT, "titleColor": FAINT, "labelFontSize": 11, "labelLimit": 240},
        "title": {"color": INK, "subtitleColor": FAINT, "anchor": "start", "fontSize": 16},
        "text": {"color": INK, "fontSize": 11},
    }
)


def check_drawing() -> Any:
    """The package that draws.

    Raises:
        MissingToolError: it is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise MissingToolError(
            "charts are drawn by the package vl-convert-python, which is not installed",
            hint="pip install 'edgesqueeze[report]'",
        ) from error
    return vl_convert


def svg(values: Sequence[Mapping[str, Any]], spec: Spec) -> str:
    """One chart as SVG.

    Args:
        values: what is drawn, one record a mark.
        spec: the rest of a Vega-Lite specification.

    Raises:
        MissingToolError: the package that draws is not installed.
    """
    vl_convert = check_drawing()
    whole = {"config": dict(CONFIG), **spec, "data": {"values": [dict(one) for one in values]}}
    return _SHAPE.sub(_shortened, vl_convert.vegalite_to_svg(whole))


def _shortened(shape: re.Match[str]) -> str:
    """A hundredth of a pixel is exact enough, and a third of the bytes."""
    return re.sub(r"(\.\d\d)\d+", r"\1", shape[0])
